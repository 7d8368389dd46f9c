#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "millrace/stream/record_type.hpp"
#include "millrace/stream/task_services.hpp"
#include "support/manual_io.hpp"
#include "support/virtual_clock.hpp"

namespace millrace::test {

struct sent_element {
  std::uint32_t channel = 0;
  element what;

  bool is_end() const { return std::holds_alternative<end_of_input>(what); }
  bool is_batch() const { return std::holds_alternative<record_batch>(what); }
  const record_batch& batch() const { return std::get<record_batch>(what); }
  std::uint64_t charge() const { return batch().charge; }
};

/// The rows of a batch of T.
template <class T>
std::vector<T> rows_in(const sent_element& sent) {
  const auto& rows = rows_of<T>(*sent.batch().rows);
  return {rows.begin(), rows.end()};
}

/// Keeps what a task or an exchange sends, and what it asks of its actor.
class fake_services final : public task_services {
 public:
  void send(std::uint32_t channel, element e) override { sent.push_back({channel, std::move(e)}); }
  void return_credit(std::uint32_t channel, std::uint64_t charge) override {
    returned.emplace_back(channel, charge);
  }
  io_executor& io() noexcept override { return executor; }
  file_system& files() noexcept override { return disk; }
  const clock& time() const noexcept override { return watch; }
  void wake_at(std::chrono::steady_clock::time_point when) override { wakes.push_back(when); }
  void send_to_coordinator(std::uint32_t operator_index, std::vector<std::byte> event) override {
    coordinator_events.emplace_back(operator_index, std::move(event));
  }
  void report_alignment(std::uint32_t operator_index, const alignment_report& report) override {
    alignment_reports.emplace_back(operator_index, report);
  }
  void report_iteration(const iteration_report& report) override {
    iteration_reports.push_back(report);
  }

  void acknowledge_checkpoint(task_snapshot snapshot) override {
    snapshots.push_back(std::move(snapshot));
  }
  void await_last_checkpoint() override { ++last_checkpoints_awaited; }

  /// All rows sent so far, by channel, in order.
  template <class T>
  std::map<std::uint32_t, std::vector<T>> rows() const {
    std::map<std::uint32_t, std::vector<T>> by_channel;
    for (const auto& s : sent) {
      if (!s.is_batch()) continue;
      auto& all = by_channel[s.channel];
      for (const auto& row : rows_of<T>(*s.batch().rows)) all.push_back(row);
    }
    return by_channel;
  }
  std::size_t ends() const {
    std::size_t n = 0;
    for (const auto& s : sent) n += s.is_end() ? 1 : 0;
    return n;
  }

  std::vector<sent_element> sent;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> returned;
  std::vector<std::chrono::steady_clock::time_point> wakes;
  std::vector<std::pair<std::uint32_t, alignment_report>> alignment_reports;
  std::vector<task_snapshot> snapshots;
  int last_checkpoints_awaited = 0;
  std::vector<std::pair<std::uint32_t, std::vector<std::byte>>> coordinator_events;
  std::vector<iteration_report> iteration_reports;
  manual_io executor;
  virtual_clock watch;
  local_file_system disk;
};

/// Watermarks sent so far on a channel, in order.
inline std::vector<timestamp_ms> watermarks_in(const std::vector<sent_element>& sent,
                                               std::uint32_t channel = 0) {
  std::vector<timestamp_ms> all;
  for (const auto& s : sent)
    if (const auto* time = std::get_if<watermark>(&s.what); time && s.channel == channel)
      all.push_back(time->at);
  return all;
}

template <class T>
batch_ptr batch_of(std::vector<T> rows, timestamp_column timestamps) {
  typed_batch_ptr<T> b(new typed_batch<T>);
  b->rows.assign(rows.begin(), rows.end());
  b->timestamps = std::move(timestamps);
  return b;
}

template <class T>
batch_ptr batch_of(std::vector<T> rows) {
  return batch_of(std::move(rows), {});
}

/// 0, 1, 2, …
inline std::vector<std::int64_t> numbers(std::int64_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(first + i);
  return all;
}

/// What would arrive of a batch at another node.
inline boost::intrusive_ptr<encoded_batch> over_the_network(const batch& b) {
  byte_writer out;
  b.encode_rows(out);
  return new encoded_batch(b.fingerprint(), b.size(), std::move(out).take());
}

/// Consumes batches and keeps copies of their rows.
template <class T>
class keeping_consumer final : public batch_consumer {
 public:
  void consume(batch& rows, rows_access access) override {
    accesses.push_back(access);
    sizes.push_back(rows.size());
    addresses.push_back(rows_of<T>(rows).data());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      all.push_back(rows_of<T>(rows)[i]);
      timestamps.push_back(static_cast<typed_batch<T>&>(rows).timestamp_of(i));
    }
    if (takes_rows && access == rows_access::exclusive) {
      rows_of<T>(rows) = {};
      timestamps_of<T>(rows) = {};
    }
  }
  void on_watermark(timestamp_ms at) override { time.push_back(at); }
  void on_status(stream_status now) override { statuses.push_back(now); }

  std::vector<T> all;
  timestamp_column timestamps;  ///< Of `all`.
  std::vector<timestamp_ms> time;
  std::vector<stream_status> statuses;
  std::vector<std::size_t> sizes;
  std::vector<rows_access> accesses;
  std::vector<const void*> addresses;
  bool takes_rows = false;
};

}  // namespace millrace::test
