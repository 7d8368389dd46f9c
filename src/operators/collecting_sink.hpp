#pragma once

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// Where the subtasks of a collecting sink, in this process, put what they get. Thread-safe; locked
/// once per batch.
template <class T>
class collected_rows {
 public:
  explicit collected_rows(std::size_t limit = std::numeric_limits<std::size_t>::max())
      : limit_(limit) {}

  void add(row_vector<T>& rows, rows_access access) {
    std::lock_guard lock(mutex_);
    const auto taken = std::min(rows.size(), limit_ - rows_.size());
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(taken);
    if (access == rows_access::exclusive)
      rows_.insert(rows_.end(), std::move_iterator(rows.begin()), std::move_iterator(end));
    else
      rows_.insert(rows_.end(), rows.begin(), end);
  }

  bool is_full() const {
    std::lock_guard lock(mutex_);
    return rows_.size() >= limit_;
  }

  std::vector<T> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(rows_, {});
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> rows_;
  std::size_t limit_;
};

/// Hands its rows to the program that runs the job.
template <class T>
class collecting_sink final : public stream_operator {
 public:
  explicit collecting_sink(std::shared_ptr<collected_rows<T>> rows) : rows_(std::move(rows)) {}

  void process(std::size_t, batch& rows, rows_access access) override {
    rows_->add(rows_of<T>(rows), access);
  }

 private:
  std::shared_ptr<collected_rows<T>> rows_;
};

template <class T>
std::shared_ptr<const operator_factory> make_collecting_sink(
    std::shared_ptr<collected_rows<T>> rows) {
  return make_factory<T, void>([rows] { return std::make_unique<collecting_sink<T>>(rows); });
}

}  // namespace millrace
