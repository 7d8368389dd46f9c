// What checkpoints cost: a keyed count at parallelism 2 whose state fills up to the given size and
// is then counted on at random keys, with checkpoints each second against without any.
//
//   bench_checkpoint_overhead [MB of state] [millions of records] [rounds] [hashmap|rocksdb]
//   [directory]
//
// The directory is for checkpoints and for RocksDB; by default below that of temporary files.

#include <stdlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "compare.hpp"
#include "keyed_count_job.hpp"

using namespace millrace;

namespace {

/// What an entry of the hashmap backend's table takes: key, count, and the slots of the index at
/// half load.
constexpr std::uint64_t bytes_per_key = 2 * sizeof(std::uint64_t) + 16;

configuration configured(const std::vector<std::pair<std::string, std::string>>& settings) {
  configuration config;
  for (const auto& [key, value] : settings)
    if (const auto set = config.set(key, value, "the benchmark"); !set) {
      std::fprintf(stderr, "bench_checkpoint_overhead: %s\n", set.error().message.c_str());
      std::exit(1);
    }
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t state_mb = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024;
  const std::uint64_t records = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 200) * 1'000'000;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  const std::string backend = argc > 4 ? argv[4] : "hashmap";
  const std::filesystem::path parent =
      argc > 5 ? std::filesystem::path(argv[5]) : std::filesystem::temp_directory_path();
  std::string directory = (parent / "millrace-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    std::fprintf(stderr, "bench_checkpoint_overhead: can't create a directory in '%s'\n",
                 parent.c_str());
    return 1;
  }
  const std::vector<std::pair<std::string, std::string>> without{
      {"state.backend.type", backend}, {"io.tmp.dirs", directory + "/tmp"}};
  auto with = without;
  with.insert(with.end(), {{"execution.checkpointing.interval", "1 s"},
                           {"state.checkpoints.dir", directory + "/checkpoints"}});
  const auto plain = configured(without);
  const auto checkpointed = configured(with);
  const auto runner = make_embedded_runner(plain, 2);
  if (!runner) {
    std::fprintf(stderr, "bench_checkpoint_overhead: %s\n", runner.error().message.c_str());
    return 1;
  }
  const std::uint64_t keys = (state_mb << 20) / bytes_per_key;
  bench::print_machine();
  std::printf("%.1f M keys, %s backend; 'loop' is the job without checkpoints\n",
              static_cast<double>(keys) / 1e6, backend.c_str());
  // Each key once, then random ones.
  const auto key_of = [keys](std::uint64_t n) { return n < keys ? n : bench::spread_key(n, keys); };
  constexpr double goal = 0.9;
  const auto c = bench::compare(
      rounds, [&] { bench::count_keys(*runner, plain, records, key_of); },
      [&] { bench::count_keys(*runner, checkpointed, records, key_of); });
  const bool good = bench::print("keyed count with checkpoints each second", c,
                                 static_cast<double>(records) / 1e6, "M records", goal);
  std::filesystem::remove_all(directory);
  return bench::exit_code(good);
}
