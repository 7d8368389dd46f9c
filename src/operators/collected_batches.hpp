#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <vector>

#include "millrace/stream/batch.hpp"

namespace millrace {

/// Where the subtasks of a collecting sink, in this process, put what they get. Thread-safe; locked
/// once per batch.
class collected_batches {
 public:
  explicit collected_batches(std::size_t limit = std::numeric_limits<std::size_t>::max())
      : limit_(limit) {}

  void add(std::uint32_t subtask, batch_ptr rows);
  /// What became final with a checkpoint; nothing if it was added before, by another attempt.
  void add_of(std::uint32_t subtask, std::uint64_t checkpoint, std::vector<batch_ptr> rows);
  /// The subtask begins afresh, and will bring its rows again.
  void forget(std::uint32_t subtask);

  /// Whether at least as many rows have come as were asked for.
  bool is_full() const;
  /// All that is there, in the order of its coming.
  std::vector<batch_ptr> take();
  /// The number of rows that were asked for.
  std::size_t limit() const noexcept { return limit_; }

 private:
  struct part {
    std::uint32_t subtask = 0;
    batch_ptr rows;
  };

  void add_locked(std::uint32_t subtask, batch_ptr rows);

  mutable std::mutex mutex_;
  std::vector<part> parts_;
  std::size_t size_ = 0;                                    // rows
  std::map<std::uint32_t, std::uint64_t> last_checkpoint_;  // whose rows are here, by subtask
  const std::size_t limit_;
};

/// The rows that have come, at most as many as were asked for.
template <class T>
std::vector<T> take_rows(collected_batches& from) {
  std::vector<T> all;
  for (const auto& each : from.take()) {
    for (auto& row : rows_of<T>(*each)) {
      if (all.size() == from.limit()) return all;
      all.push_back(std::move(row));
    }
  }
  return all;
}

}  // namespace millrace
