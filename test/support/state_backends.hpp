#pragma once

#include <memory>
#include <string>
#include <vector>

#include "millrace/state/state_backend.hpp"

namespace millrace::test {

struct named_backend {
  std::string name;
  std::shared_ptr<state_backend> backend;
};

/// Every backend that the tests of keyed state run on.
inline std::vector<named_backend> all_state_backends() {
  return {{"hashmap", std::make_shared<hashmap_state_backend>()}};
}

}  // namespace millrace::test
