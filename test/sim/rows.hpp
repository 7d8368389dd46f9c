#pragma once

#include <compare>
#include <cstdint>

namespace millrace::sim {

/// What streams of simulated jobs are made of.
struct row {
  std::int64_t key = 0;
  std::int64_t value = 0;
  auto operator<=>(const row&) const = default;
};

/// A row as the interpreter sees it: with its event time in ms, if its stream has that.
struct timed_row {
  row r;
  std::int64_t at = 0;
};

}  // namespace millrace::sim
