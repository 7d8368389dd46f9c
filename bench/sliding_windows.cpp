// Sums over windows of event time: what a window of 60 s that slides by 1 s costs per record,
// against a tumbling one of 60 s over the same stream. Slices make the two nearly equal; without
// them every record would be added to 60 windows. And what local aggregation is worth.
//
// Records are dealt evenly to the keys and over five minutes of event time. How many of them a key
// has in a second decides what sliding costs: each second has a result for each key.
//
//   bench_sliding_windows [records] [rounds] [keys]
//
// With a number of keys: only the windows of that many, at the key.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "compare.hpp"
#include "millrace/api/keyed_stream.hpp"
#include "millrace/api/stream_environment.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::uint64_t key = 0;
  std::int64_t value = 0;
  std::int64_t at = 0;
};

/// Spread over the keys; five minutes of event time in all.
reading reading_of(std::uint64_t n, std::uint64_t keys, std::uint64_t records) noexcept {
  std::uint64_t x = n * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ull;
  return {((x >> 32) * keys) >> 32, 1, static_cast<std::int64_t>(n * 300'000 / records)};
}

enum class aggregation { at_the_key, local_first };

template <aggregation Where, class Assigner>
void run(const std::shared_ptr<job_runner>& runner, std::uint32_t parallelism,
         std::uint64_t records, std::uint64_t keys, Assigner assigner) {
  stream_environment env({}, runner);
  env.set_parallelism(parallelism);
  const auto windows =
      env.from_generator(
             [keys, records](const std::uint64_t& n) { return reading_of(n, keys, records); },
             records)
          .assign_timestamps_and_watermarks(
              watermark_strategy<reading>::for_bounded_out_of_orderness(0ms)
                  .with_timestamp_assigner(&reading::at))
          .key_by(&reading::key)
          .window(assigner);
  if constexpr (Where == aggregation::local_first)
    windows.local_aggregation().sum(&reading::value).discard();
  else
    windows.sum(&reading::value).discard();
  env.execute("windows");
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::uint64_t only_keys = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  const auto runner = make_embedded_runner({}, 2);
  if (!runner) {
    std::fprintf(stderr, "bench_sliding_windows: %s\n", runner.error().message.c_str());
    return 1;
  }
  const auto millions = static_cast<double>(records) / 1e6;
  std::printf("'loop' is the tumbling window, 'engine' the sliding one\n");
  constexpr double goal = 1 / 1.5;
  bool good = true;
  const auto some_keys = only_keys != 0 ? std::vector<std::uint64_t>{only_keys}
                                        : std::vector<std::uint64_t>{100, 1'000, 3'000, 10'000};
  for (const auto keys : some_keys) {
    const auto c = bench::compare(
        rounds,
        [&] {
          run<aggregation::at_the_key>(*runner, 1, records, keys,
                                       tumbling_event_time_windows::of(60s));
        },
        [&] {
          run<aggregation::at_the_key>(*runner, 1, records, keys,
                                       sliding_event_time_windows::of(60s, 1s));
        });
    good = bench::print("60 s windows sliding by 1 s, " + std::to_string(keys) + " keys", c,
                        millions, "M records", goal) &&
           good;
  }
  if (only_keys != 0) return bench::exit_code(good);
  std::printf("'loop' is without local aggregation, 'engine' with it; parallelism 2\n");
  for (const std::uint64_t keys : {10u, 1'000u, 100'000u}) {
    const auto c = bench::compare(
        rounds,
        [&] {
          run<aggregation::at_the_key>(*runner, 2, records, keys,
                                       tumbling_event_time_windows::of(60s));
        },
        [&] {
          run<aggregation::local_first>(*runner, 2, records, keys,
                                        tumbling_event_time_windows::of(60s));
        });
    good = bench::print("60 s windows, " + std::to_string(keys) + " keys", c, millions, "M records",
                        0) &&
           good;
  }
  return bench::exit_code(good);
}
