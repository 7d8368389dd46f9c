#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "millrace/api/stream_environment.hpp"
#include "spread_key.hpp"

namespace millrace::bench {

struct key_count {
  std::uint64_t key = 0;
  std::uint64_t count = 0;
};

/// The records of a keyed count, by key: `key_of(n)` is the key of the nth.
template <class KeyOf>
auto records_by_key(stream_environment& env, generator_options options, KeyOf key_of) {
  return env
      .from_generator(
          [key_of](const std::uint64_t& n) {
            return key_count{key_of(n), 1};
          },
          options)
      .key_by(&key_count::key);
}

/// Counts records by key at parallelism 2.
template <class KeyOf>
void count_keys(const std::shared_ptr<job_runner>& runner, std::uint64_t records, KeyOf key_of) {
  stream_environment env({}, runner);
  env.set_parallelism(2);
  records_by_key(env, {.count = records}, std::move(key_of)).sum(&key_count::count).discard();
  env.execute("keyed count");
}

}  // namespace millrace::bench
