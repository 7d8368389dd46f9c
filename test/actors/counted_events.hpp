#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <doctest/doctest.h>

#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

// What tests of recovery in one process share: a job that counts events by key, whose function
// fails as the test wishes.

namespace millrace::test {

constexpr std::int64_t counted_keys = 400;

/// The one with that number; behind the counting function, the count of its key.
struct numbered_event {
  std::int64_t key = 0;
  std::int64_t number = 0;
};

/// The highest count of each key that came to a sink, in whichever attempt: all run in one process.
class event_counts {
 public:
  void note(const numbered_event& counted) {
    std::lock_guard lock(mutex_);
    auto& highest = highest_[counted.key];
    highest = std::max(highest, counted.number);
  }
  std::int64_t total() {
    std::lock_guard lock(mutex_);
    std::int64_t all = 0;
    for (const auto& [key, count] : highest_) all += count;
    return all;
  }

 private:
  std::mutex mutex_;
  std::map<std::int64_t, std::int64_t> highest_;
};

/// All state in files below the directory, frequent checkpoints, and failed tasks restarted at
/// once. `more` wins.
inline configuration recovering_configuration(const temporary_directory& directory,
                                              const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> settings{
      {"execution.checkpointing.interval", "20 ms"},
      {"state.checkpoints.dir", directory.path("checkpoints")},
      {"state.savepoints.dir", directory.path("savepoints")},
      {"state.backend.rocksdb.memory.fixed-per-tm", "16 mb"},
      {"state.storage.fs.memory-threshold", "0"},
      {"io.tmp.dirs", directory.path("scratch")},
      {"restart-strategy.type", "fixed-delay"},
      {"restart-strategy.fixed-delay.attempts", "100"},
      {"restart-strategy.fixed-delay.delay", "1 ms"}};
  for (const auto& [key, value] : more) settings[key] = value;
  configuration config;
  for (const auto& [key, value] : settings) REQUIRE(config.set(key, value, "test"));
  return config;
}

/// Starts the job, at parallelism 2. `counting` gives the count of each event's key.
template <class Counting>
std::unique_ptr<job_client> count_events(const configuration& config, Counting counting,
                                         std::shared_ptr<event_counts> counts,
                                         const generator_options& how) {
  stream_environment env(config);
  env.set_parallelism(2);
  env.from_source(make_generator<numbered_event>(
                      [](const std::uint64_t& n) {
                        const auto i = static_cast<std::int64_t>(n);
                        return numbered_event{i * 7919 % counted_keys, i};
                      },
                      how),
                  watermark_strategy<numbered_event>::no_watermarks(), "events")
      .key_by(&numbered_event::key)
      .map(std::move(counting))
      .uid("counting")
      .add_sink([counts = std::move(counts)](const numbered_event& e) { counts->note(e); });
  return env.execute_async("counted");
}

}  // namespace millrace::test
