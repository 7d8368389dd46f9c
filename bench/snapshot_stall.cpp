// How long a task stands still for a barrier, and how much slower it is while its snapshot is
// written: one operator with 1 GB of state of the hashmap backend, updated at random keys all the
// time, in the steps of a task (8 batches, then a slice of the snapshot), in one thread.
//
//   bench_snapshot_stall [MB of state] [rounds] [KB of a slice]

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "compare.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/stream/task_services.hpp"

using namespace millrace;

namespace {

struct totals {
  std::int64_t count = 0;
  double sum = 0;
  std::array<std::int64_t, 10> latest{};
};

constexpr std::uint64_t batch_rows = 4096;
constexpr std::uint64_t block_rows = 64;
constexpr int batches_per_step = 8;
/// What an entry of the table takes: key, value, and the slots of the index at half load.
constexpr std::uint64_t bytes_per_key = sizeof(std::int64_t) + sizeof(totals) + 16;
/// A barrier may not hold a task up for longer.
constexpr double stall_max_ms = 5;

const system_clock_source time_of_system;

/// Time that passes, whoever takes it: so other work on the machine counts, too.
double now_ms() {
  const std::chrono::duration<double, std::milli> at =
      std::chrono::steady_clock::now().time_since_epoch();
  return at.count();
}
double ms_since(double begin) {
  return now_ms() - begin;
}

class operator_with_state {
 public:
  explicit operator_with_state(std::uint64_t keys)
      : keys_(keys),
        slot_({.operator_name = "bench",
               .operator_uid = "bench",
               .groups = {0, max_parallelism_default - 1},
               .max_parallelism = max_parallelism_default,
               .time = &time_of_system},
              nullptr),
        state_(slot_.get<std::int64_t>()),
        totals_(state_.get_state(value_state_descriptor<totals>("totals"))) {
    for (std::uint64_t key = 0; key < keys; ++key) update(static_cast<std::int64_t>(key));
  }

  keyed_state_slot& slot() noexcept { return slot_; }

  /// A batch of random keys.
  void process_batch() {
    std::array<std::int64_t, block_rows> keys;
    std::array<std::uint64_t, block_rows> hashes;
    for (std::uint64_t done = 0; done < batch_rows; done += block_rows) {
      for (auto& key : keys) {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        key = static_cast<std::int64_t>(((random_ >> 32) * keys_) >> 32);
      }
      for (std::size_t i = 0; i < block_rows; ++i) hashes[i] = key_hash(keys[i]);
      state_.prefetch(keys, hashes);
      for (std::size_t i = 0; i < block_rows; ++i) {
        state_.set_current_key(keys[i], hashes[i]);
        add(keys[i]);
      }
    }
  }

 private:
  void update(std::int64_t key) {
    state_.set_current_key(key);
    add(key);
  }
  void add(std::int64_t key) {
    auto& t = totals_.get_or_default();
    ++t.count;
    t.sum += static_cast<double>(key);
    t.latest[static_cast<std::size_t>(t.count) % t.latest.size()] = key;
  }

  std::uint64_t keys_;
  keyed_state_slot slot_;
  keyed_state_backend<std::int64_t>& state_;
  value_state<totals> totals_;
  std::uint64_t random_ = 1;
};

double worst(const std::vector<double>& values) {
  return values.empty() ? 0 : std::ranges::max(values);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t state_mb = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::size_t slice_bytes =
      argc > 3 ? std::strtoull(argv[3], nullptr, 10) << 10 : task_options().snapshot_slice_bytes;
  bench::print_machine();
  const std::uint64_t keys = (state_mb << 20) / bytes_per_key;
  operator_with_state op(keys);
  std::printf("%.1f M keys, %.1f MB of state, slices of %zu KB\n", static_cast<double>(keys) / 1e6,
              static_cast<double>(keys * bytes_per_key) / (1 << 20), slice_bytes >> 10);

  std::vector<double> freezes, slices, steps, undisturbed, durations;
  double rows = 0, ms = 0;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 100; ++i) {
      const double begin = now_ms();
      for (int b = 0; b < batches_per_step; ++b) op.process_batch();
      undisturbed.push_back(ms_since(begin));
    }
    const double barrier = now_ms();
    op.slot().begin_snapshot();
    freezes.push_back(ms_since(barrier));
    for (bool is_written = false; !is_written;) {
      double begin = now_ms();
      for (int b = 0; b < batches_per_step; ++b) op.process_batch();
      steps.push_back(ms_since(begin));
      rows += static_cast<double>(batches_per_step * batch_rows);
      begin = now_ms();
      snapshot_budget slice(slice_bytes);
      is_written = op.slot().write_snapshot(slice);
      slices.push_back(ms_since(begin));
    }
    durations.push_back(ms_since(barrier));
    ms += durations.back();
    std::size_t bytes = 0;
    for (const auto& group : op.slot().take_snapshot()) bytes += group.bytes.size();
    if (round == 0) std::printf("%.1f MB of snapshot\n", static_cast<double>(bytes) / (1 << 20));
  }
  const double step_rows = batches_per_step * batch_rows;
  const double before = step_rows / bench::median(undisturbed) / 1e3;
  const double during = rows / ms / 1e3;
  std::printf("barrier             median %7.3f ms   worst %7.3f ms\n", bench::median(freezes),
              worst(freezes));
  std::printf("slice               median %7.3f ms   worst %7.3f ms\n", bench::median(slices),
              worst(slices));
  std::printf("8 batches, no snapshot   %7.3f ms   worst %7.3f ms\n", bench::median(undisturbed),
              worst(undisturbed));
  std::printf("8 batches meanwhile      %7.3f ms   worst %7.3f ms\n", bench::median(steps),
              worst(steps));
  std::printf("written in          median %7.0f ms\n", bench::median(durations));
  std::printf("updates             %.1f M/s without a snapshot, %.1f M/s while one is written\n",
              before, during);
  const bool good = worst(freezes) <= stall_max_ms && worst(slices) <= stall_max_ms;
  std::printf("goal: at most %.0f ms at a barrier and in a slice: %s\n", stall_max_ms,
              good ? "met" : "MISSED");
  return bench::exit_code(good);
}
