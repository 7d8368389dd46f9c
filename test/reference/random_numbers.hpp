#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace millrace::test::reference {

/// Of one random case; the same seed gives the same ones.
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) : engine_(seed) {}

  std::int64_t upto(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
  }
  /// True once in `n` times.
  bool one_of(std::int64_t n) { return upto(1, n) == 1; }

 private:
  std::mt19937_64 engine_;
};

/// How many random cases a test runs, and from which seed: as the environment says (see
/// scripts/check-streams), else `usual` from 1.
struct case_range {
  std::uint64_t first = 1;
  std::uint64_t count = 0;

  explicit case_range(std::uint64_t usual) : count(usual) {
    if (const char* wanted = std::getenv("MILLRACE_RANDOM_CASES"))
      count = std::strtoull(wanted, nullptr, 10);
    if (const char* wanted = std::getenv("MILLRACE_RANDOM_SEED"))
      first = std::strtoull(wanted, nullptr, 10);
  }
};

}  // namespace millrace::test::reference
