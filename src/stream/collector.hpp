#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "millrace/stream/output.hpp"
#include "millrace/stream/row_transfer.hpp"

namespace millrace {

/// Where a function puts the records it makes. Gathers them into a batch and hands full batches to
/// what follows; the operator flushes the rest after each batch it was given, so that nothing lags.
/// Belongs to one operator of one task.
///
/// Each record gets the timestamp that was set last (Flink's TimestampedCollector): operators set
/// that of the record at hand before they call the user's function. The column of timestamps is
/// filled up when another one is set and when the batch is handed on, so that emitting costs the
/// same with timestamps and without.
template <class T>
class collector {
 public:
  /// Of all records from now on; `no_timestamp` for none.
  void set_timestamp(timestamp_ms timestamp) {
    if (timestamp == timestamp_) return;
    fill_timestamps();
    timestamp_ = timestamp;
  }
  /// What was set last.
  timestamp_ms timestamp() const noexcept { return timestamp_; }

  /// Emits with a timestamp of its own, which later records without one get, too.
  void emit(const T& row, timestamp_ms timestamp) {
    set_timestamp(timestamp);
    emit(row);
  }
  /// The same, moved from.
  void emit(T&& row, timestamp_ms timestamp) {
    set_timestamp(timestamp);
    emit(std::move(row));
  }

  /// Emits with the timestamp that was set last.
  void emit(const T& row) {
    make_room();
    append_row<T>(batch_->rows, row);
    flush_if_full();
  }
  /// The same, moved from.
  void emit(T&& row) {
    make_room();
    append_row<T>(batch_->rows, std::move(row));
    flush_if_full();
  }

  /// Emits a copy of `row` as `change(copy)` leaves it.
  template <class Change>
  void emit_changed(const T& row, Change&& change) {
    make_room();
    append_row<T>(batch_->rows, row);
    change(rows().back());
    flush_if_full();
  }

  /// Emits `count` records, as many at once as the batch has room for: `make(T* out, first, n)`
  /// assigns those numbered from `first` on.
  template <class Make>
  requires(std::is_trivially_copyable_v<T> && !has_heap_v<T>) void emit_made(std::size_t count,
                                                                             Make&& make) {
    for (std::size_t first = 0; first < count;) {
      const auto filled = rows().size();
      const auto n = std::min(count - first, std::max<std::size_t>(room(), 1));
      rows().resize(filled + n);
      make(rows().data() + filled, first, n);
      first += n;
      if (rows().size() >= rows_max_) flush();
    }
  }

  /// Makes the record in place.
  template <class... Args>
  void emplace(Args&&... args) {
    make_room();
    if constexpr (std::is_aggregate_v<T> && sizeof...(Args) != 1)
      append_made_row<T>(rows(), std::forward<Args>(args)...);
    else
      rows().emplace_back(std::forward<Args>(args)...);
    flush_if_full();
  }

  /// Hands on what was gathered. Called by operators; a user function has no need to.
  [[gnu::noinline]] void flush() {
    if (rows().empty()) return;
    fill_timestamps();
    target_->push(*batch_, rows_access::exclusive);
    if (batch_->is_unique()) {
      rows().clear();
      batch_->timestamps.clear();
    } else {
      batch_.reset(new typed_batch<T>);
    }
    rows().reserve(rows_max_);
    heap_bytes_ = 0;
    untimed_rows_ = 0;
  }

  /// Wires the collector; called once by the chain.
  void bind(output& target, const batch_limits& limits) {
    target_ = &target;
    // Rows between chained operators are read again at once: keep them within the L1/L2 caches.
    constexpr std::size_t cached_bytes = 64 * 1024;
    bytes_max_ = std::min<std::size_t>(cached_bytes, limits.bytes);
    rows_max_ = std::clamp<std::size_t>(bytes_max_ / sizeof(T), 1, limits.rows);
    rows().reserve(rows_max_);
  }

  /// For operators that fill many rows at once: append to `rows()` freely up to `room()`.
  row_vector<T>& rows() noexcept { return batch_->rows; }
  /// Rows until the batch is full.
  std::size_t room() const noexcept { return rows_max_ - batch_->rows.size(); }

  /// The operator's output, for rows that pass through unchanged.
  output& target() noexcept { return *target_; }

 private:
  /// Gives all rows that have no timestamp yet the one that was set when they were emitted.
  void fill_timestamps() {
    auto& column = batch_->timestamps;
    const auto count = rows().size();
    if (timestamp_ == no_timestamp && column.empty()) {
      untimed_rows_ = count;
      return;
    }
    if (column.empty()) {
      column.reserve(std::max(count, rows_max_));
      column.resize(untimed_rows_, no_timestamp);
    }
    while (column.size() < count) column.push_back(timestamp_);
  }

  void make_room() {
    if (rows().size() == rows().capacity()) [[unlikely]]
      rows().reserve(rows().size() + rows_max_);
  }

  void flush_if_full() {
    if constexpr (has_heap_v<T>) {
      heap_bytes_ += heap_bytes(rows().back());
      if (heap_bytes_ >= bytes_max_) return flush();
    }
    if (rows().size() >= rows_max_) [[unlikely]]
      flush();
  }

  typed_batch_ptr<T> batch_{new typed_batch<T>};
  output* target_ = nullptr;
  std::size_t rows_max_ = 1;
  std::size_t bytes_max_ = 1;
  std::size_t heap_bytes_ = 0;  // of rows that were emitted one by one
  timestamp_ms timestamp_ = no_timestamp;
  std::size_t untimed_rows_ = 0;  // emitted without a timestamp, while there is no column
};

}  // namespace millrace
