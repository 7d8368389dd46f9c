#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "reference/random_numbers.hpp"

namespace millrace::test {

/// Cuts the content of a file off, or changes it, at a random place. What was done, for messages.
inline std::string damage(reference::random_numbers& random, std::string& content) {
  const auto size = static_cast<std::int64_t>(content.size());
  const auto at = random.upto(0, size - 1);
  const auto where = static_cast<std::size_t>(at);
  switch (random.upto(0, 4)) {
    case 0:
      content.resize(where);
      return "cut off at " + std::to_string(at);
    case 1: {  // as a file system may after a power cut
      const auto end = random.upto(at, size - 1) + 1;
      std::fill(content.begin() + at, content.begin() + end, '\0');
      return "zeros from " + std::to_string(at) + " to " + std::to_string(end);
    }
    case 2:
      content.insert(where, 1, static_cast<char>(random.upto(0, 255)));
      return "a byte more at " + std::to_string(at);
    default: {
      const auto bit = random.upto(0, 7);
      content[where] = static_cast<char>(content[where] ^ (1 << bit));
      return "bit " + std::to_string(bit) + " of byte " + std::to_string(at);
    }
  }
}

}  // namespace millrace::test
