#pragma once

#include <compare>
#include <cstdint>

namespace millrace::test::reference {

/// What a window, a pair of rows or a timer came to.
struct outcome {
  std::int64_t key = 0;
  std::int64_t start = 0;  ///< When: the window's start, the left row's time, the timer's.
  std::int64_t sum = 0;
  std::int64_t count = 0;

  auto operator<=>(const outcome&) const = default;
};

}  // namespace millrace::test::reference
