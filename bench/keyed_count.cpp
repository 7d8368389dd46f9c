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
#include "millrace/api/stream_environment.hpp"

using namespace millrace;

namespace {

struct key_count {
  std::uint64_t key = 0;
  std::uint64_t count = 0;
};

/// The key of the nth record: spread, and cheap to make, so that counting is what is measured.
std::uint64_t key_of(std::uint64_t n, std::uint64_t keys) noexcept {
  std::uint64_t x = n * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ull;
  return static_cast<std::uint64_t>(((x >> 32) * keys) >> 32);
}

void hand_written(std::uint64_t records, std::uint64_t keys) {
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> counts;
  for (std::uint64_t n = 0; n < records; ++n) ++counts[key_of(n, keys)];
  std::uint64_t sum = 0;
  for (const auto& [key, count] : counts) sum += count;
  if (sum != records) std::abort();
}

void engine(const std::shared_ptr<job_runner>& runner, std::uint64_t records, std::uint64_t keys) {
  stream_environment env({}, runner);
  env.set_parallelism(2);
  env.from_generator(
         [keys](const std::uint64_t& n) {
           return key_count{key_of(n, keys), 1};
         },
         records)
      .key_by(&key_count::key)
      .sum(&key_count::count)
      .discard();
  env.execute("keyed count");
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
        [&, k = keys] { engine(*runner, records, k); });
    bench::print("keyed count, " + std::to_string(keys) + " keys", c,
                 static_cast<double>(records) / 1e6, "M records", goal);
    good = good && c.ratio >= goal;
  }
  return good ? 0 : 2;
}
