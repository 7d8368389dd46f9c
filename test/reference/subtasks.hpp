#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/operators/late_records.hpp"
#include "millrace/stream/watermark_merge.hpp"
#include "reference/random_inputs.hpp"
#include "support/operator_harness.hpp"
#include "support/shared_state_backend.hpp"
#include "support/state_backends.hpp"

namespace millrace::test::reference {

/// The backend of a random case: live objects, or objects cached above bytes, half of which lie in
/// RocksDB. That is opened once, as it takes longer than a case.
inline const named_backend& backend_of_case(std::uint64_t seed) {
  static const std::vector<named_backend> all = [] {
    auto some = all_state_backends();
    auto& rocksdb = some.back().backend;
    rocksdb = std::make_shared<shared_state_backend>(rocksdb);
    return some;
  }();
  static constexpr std::size_t which[] = {0, 3, 0, 1, 0, 3, 0, 2};
  return all[which[seed % std::size(which)]];
}

/// All subtasks of a keyed operator, each with its key groups: rows go where their keys belong,
/// some of them together in a batch, and what inputs say of time to all, each of which merges it.
template <class Row, class Out>
class keyed_subtasks {
 public:
  static constexpr std::uint32_t groups = 16;

  keyed_subtasks(const operator_factory_ptr& factory, std::uint32_t parallelism,
                 const std::shared_ptr<state_backend>& backend, std::size_t inputs = 1)
      : pending_(parallelism), time_(parallelism, watermark_merge(inputs)) {
    for (std::uint32_t i = 0; i < parallelism; ++i)
      subtasks_.push_back(std::make_unique<operator_harness<Row, Out>>(
          factory,
          runtime_context::identity{.job_name = {},
                                    .operator_name = "operator",
                                    .operator_uid = {},
                                    .subtask_index = i,
                                    .parallelism = parallelism,
                                    .max_parallelism = groups},
          backend));
  }

  /// Before open().
  template <class T>
  void listen(const output_tag<T>& tag) {
    for (auto& s : subtasks_) s->listen(tag);
  }
  void open() {
    for (auto& s : subtasks_) s->open();
  }

  template <class T>
  void add(const T& row, std::int64_t key, timestamp_ms at, std::size_t input, bool flushes) {
    const auto owner = subtask_of_key_group(key_group_of(key_hash(key), groups), groups,
                                            static_cast<std::uint32_t>(subtasks_.size()));
    auto& all = pending_[owner];
    if (all.input != input) flush(owner);
    all.input = input;
    all.rows.push_back(row);
    all.timestamps.push_back(at);
    if (flushes) flush(owner);
  }
  void tell(const input_news& said) {
    for (std::size_t i = 0; i < subtasks_.size(); ++i) {
      flush(i);
      if (said.status) pass_on(i, time_[i].on_status(said.input, *said.status));
      if (said.watermark) pass_on(i, time_[i].on_watermark(said.input, *said.watermark));
    }
  }
  /// By the first input.
  void watermark(timestamp_ms at) { tell({0, at, {}}); }
  /// Lets time pass on all clocks.
  void pass_time(std::int64_t ms) {
    for (std::size_t i = 0; i < subtasks_.size(); ++i) {
      flush(i);
      subtasks_[i]->pass_time(std::chrono::milliseconds(ms));
    }
  }
  /// What all clocks show.
  timestamp_ms clock() const { return subtasks_.front()->time().wall_ms(); }
  std::vector<Out> finish() {
    std::vector<Out> all;
    for (std::size_t i = 0; i < subtasks_.size(); ++i) {
      flush(i);
      subtasks_[i]->finish();
      for (auto& row : subtasks_[i]->take()) all.push_back(std::move(row));
    }
    return all;
  }
  template <class T>
  std::vector<T> side_output(const output_tag<T>& tag) {
    std::vector<T> all;
    for (auto& s : subtasks_)
      for (const auto& row : s->side_rows(tag)) all.push_back(row);
    return all;
  }
  /// How many rows came out so far.
  std::size_t emitted() const {
    std::size_t count = 0;
    for (const auto& s : subtasks_) count += s->timestamps().size();
    return count;
  }
  /// How many came to a side output that is listened to.
  template <class T>
  std::size_t emitted_on(const output_tag<T>& tag) const {
    std::size_t count = 0;
    for (const auto& s : subtasks_) count += s->side_rows(tag).size();
    return count;
  }
  /// As the job's result would say.
  std::int64_t late() const {
    std::int64_t sum = 0;
    for (const auto& s : subtasks_) {
      const auto& totals = s->runtime().accumulators();
      if (const auto found = totals.find(late_records_accumulator); found != totals.end())
        sum += std::get<std::int64_t>(found->second.value);
    }
    return sum;
  }

 private:
  struct block {
    std::size_t input = 0;
    std::vector<Row> rows;
    timestamp_column timestamps;
  };

  void flush(std::size_t i) {
    auto& all = pending_[i];
    if (all.rows.empty()) return;
    subtasks_[i]->process_timed(std::exchange(all.rows, {}), std::exchange(all.timestamps, {}),
                                rows_access::exclusive, all.input);
  }

  /// As a task does.
  void pass_on(std::size_t i, const watermark_change& change) {
    auto& op = subtasks_[i]->op();
    if (change.status == stream_status::active) op.on_status(*change.status);
    if (change.watermark) op.on_watermark(*change.watermark);
    if (change.status == stream_status::idle) op.on_status(*change.status);
  }

  std::vector<std::unique_ptr<operator_harness<Row, Out>>> subtasks_;
  std::vector<block> pending_;
  std::vector<watermark_merge> time_;
};

}  // namespace millrace::test::reference
