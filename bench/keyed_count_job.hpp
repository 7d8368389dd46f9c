#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "millrace/api/stream_environment.hpp"

namespace millrace::bench {

struct key_count {
  std::uint64_t key = 0;
  std::uint64_t count = 0;
};

/// The key of the nth record: spread, and cheap to make, so that counting is what is measured.
inline std::uint64_t spread_key(std::uint64_t n, std::uint64_t keys) noexcept {
  std::uint64_t x = n * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ull;
  return static_cast<std::uint64_t>(((x >> 32) * keys) >> 32);
}

/// Counts records by key at parallelism 2; `key_of(n)` is the key of the nth.
template <class KeyOf>
void count_keys(const std::shared_ptr<job_runner>& runner, const configuration& config,
                std::uint64_t records, KeyOf key_of) {
  stream_environment env(config, runner);
  env.set_parallelism(2);
  env.from_generator(
         [key_of](const std::uint64_t& n) {
           return key_count{key_of(n), 1};
         },
         records)
      .key_by(&key_count::key)
      .sum(&key_count::count)
      .discard();
  env.execute("keyed count");
}

}  // namespace millrace::bench
