#pragma once

#include <cstdint>
#include <limits>

namespace millrace::sim {

/// Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood, OOPSLA
/// 2014). The standard library's distributions are not.
class random_source {
 public:
  using result_type = std::uint64_t;

  explicit random_source(std::uint64_t seed) noexcept : state_(seed) {}

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

  result_type operator()() noexcept {
    state_ += 0x9e3779b97f4a7c15u;
    auto z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// 0 <= below(n) < n.
  std::uint64_t below(std::uint64_t n) noexcept { return n == 0 ? 0 : (*this)() % n; }
  /// low <= between(low, high) <= high.
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  /// True in `percent` of 100 cases.
  bool chance(unsigned percent) noexcept { return below(100) < percent; }
  /// A generator of its own: what it yields does not depend on how much is drawn from this one.
  random_source fork() noexcept { return random_source((*this)() ^ 0xd1b54a32d192ed03u); }

 private:
  std::uint64_t state_;
};

}  // namespace millrace::sim
