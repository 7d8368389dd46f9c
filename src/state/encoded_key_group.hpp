#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace {

/// The keyed state of an operator in one key group, as a keyed_state_snapshot has written it.
struct encoded_key_group {
  std::uint32_t group = 0;
  std::vector<std::byte> bytes;

  bool operator==(const encoded_key_group&) const = default;
};

}  // namespace millrace
