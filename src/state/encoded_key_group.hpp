#pragma once

#include <cstdint>

#include "millrace/core/chunked_bytes.hpp"

namespace millrace {

/// The keyed state of an operator in one key group, as a keyed_state_snapshot has written it.
struct encoded_key_group {
  std::uint32_t group = 0;
  chunked_bytes bytes;

  bool operator==(const encoded_key_group&) const = default;
};

}  // namespace millrace
