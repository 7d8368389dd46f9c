// Keyed count from an in-memory generator at parallelism 2, against a hand-written single-threaded
// loop that does the same.
//
//   bench_keyed_count [records] [rounds] [1000|1000000]

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "compare.hpp"
#include "keyed_count_job.hpp"

using namespace millrace;

namespace {

void hand_written(std::uint64_t records, std::uint64_t keys) {
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> counts;
  for (std::uint64_t n = 0; n < records; ++n) ++counts[bench::spread_key(n, keys)];
  std::uint64_t sum = 0;
  for (const auto& [key, count] : counts) sum += count;
  if (sum != records) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 40'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::uint64_t only_keys = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  const auto runner = make_embedded_runner({}, 2);
  if (!runner) {
    std::fprintf(stderr, "bench_keyed_count: %s\n", runner.error().message.c_str());
    return 1;
  }
  bench::print_machine();
  bool good = true;
  for (const auto& [keys, goal] : {std::pair{1'000u, 0.4}, std::pair{1'000'000u, 0.6}}) {
    if (only_keys != 0 && keys != only_keys) continue;
    const auto c = bench::compare(
        rounds, [&, k = keys] { hand_written(records, k); },
        [&, k = keys] {
          bench::count_keys(*runner, records,
                            [k](std::uint64_t n) { return bench::spread_key(n, k); });
        });
    good = bench::print("keyed count, " + std::to_string(keys) + " keys", c,
                        static_cast<double>(records) / 1e6, "M records", goal) &&
           good;
  }
  return bench::exit_code(good);
}
