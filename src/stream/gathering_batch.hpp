#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "millrace/stream/output.hpp"
#include "millrace/stream/row_transfer.hpp"

namespace millrace {

/// A vector under construction. `push` does not check for room: it is the innermost loop of every
/// exchange.
template <class T>
class row_buffer {
 public:
  template <class Row>
  [[gnu::always_inline]] void push(Row&& row) {
    append_row<T>(rows_, std::forward<Row>(row));
  }
  const T& back() const noexcept { return rows_.back(); }
  std::size_t size() const noexcept { return rows_.size(); }
  bool has_room() const noexcept { return rows_.size() != rows_.capacity(); }
  void make_room_for(std::size_t rows) { rows_.reserve(rows); }
  bool extend() noexcept { return false; }
  row_vector<T> take() { return std::exchange(rows_, {}); }

 private:
  row_vector<T> rows_;
};

/// Plain data: a store and a step of a pointer, whatever the compiler thinks of inlining
/// `push_back`. The vector is sized before it is filled.
template <class T>
requires std::is_trivially_copyable_v<T>
class row_buffer<T> {
 public:
  row_buffer() = default;
  row_buffer(row_buffer&& other) noexcept
      : rows_(std::move(other.rows_)),
        end_(std::exchange(other.end_, nullptr)),
        limit_(std::exchange(other.limit_, nullptr)),
        wanted_(std::exchange(other.wanted_, 0)) {}
  row_buffer& operator=(row_buffer&&) = delete;

  [[gnu::always_inline]] void push(const T& row) { ::new (static_cast<void*>(end_++)) T(row); }
  T* end() const noexcept { return end_; }
  void set_end(T* end) noexcept { end_ = end; }
  std::size_t room() const noexcept { return static_cast<std::size_t>(limit_ - end_); }
  const T& back() const noexcept { return end_[-1]; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - rows_.data()); }
  bool has_room() const noexcept { return end_ != limit_; }

  void make_room_for(std::size_t rows) {
    const auto filled = size();
    rows_.reserve(rows);
    wanted_ = rows;
    end_ = rows_.data() + filled;
    extend();
  }
  /// More of the room that was asked for; false if that is used up. A piece at a time, so that it
  /// is still in the cache when it is filled.
  bool extend() {
    const auto filled = size();
    if (rows_.size() == wanted_) return false;
    rows_.resize(std::min(wanted_, filled + rows_at_once));
    end_ = rows_.data() + filled;
    limit_ = rows_.data() + rows_.size();
    return true;
  }

  row_vector<T> take() {
    rows_.resize(size());
    end_ = limit_ = nullptr;
    return std::exchange(rows_, {});
  }

 private:
  static constexpr std::size_t rows_at_once = 256;

  row_vector<T> rows_;
  T* end_ = nullptr;
  T* limit_ = nullptr;
  std::size_t wanted_ = 0;
};

/// The rows that gather for one channel until they are a batch. Memory follows what the channel
/// carries: a batch starts with the room that the one before it used.
template <class T>
class gathering_batch {
 public:
  explicit gathering_batch(const batch_limits& limits)
      : rows_max_(std::clamp<std::size_t>(limits.bytes / sizeof(T), 1, limits.rows)),
        bytes_max_(limits.bytes) {
    rows_.make_room_for(std::min(rows_first, rows_max_));
  }

  /// True when the batch is full and should be taken.
  template <class Row>
  [[nodiscard, gnu::always_inline]] bool append(Row&& row) {
    rows_.push(std::forward<Row>(row));
    if constexpr (has_heap_v<T>) {
      heap_bytes_ += millrace::heap_bytes(rows_.back());
      if (rows_.size() * sizeof(T) + heap_bytes_ >= bytes_max_) return true;
    }
    return !rows_.has_room() && !grow();
  }

  /// The same for a row with a timestamp. Rows without one that have gathered before get
  /// `no_timestamp`.
  template <class Row>
  [[nodiscard]] bool append(Row&& row, timestamp_ms timestamp) {
    timestamps_.resize(rows_.size(), no_timestamp);
    timestamps_.push_back(timestamp);
    const bool is_full = append(std::forward<Row>(row));
    return is_full || rows_.size() * (sizeof(T) + sizeof(timestamp_ms)) + heap_bytes_ >= bytes_max_;
  }

  /// Where at least `count` rows may be stored, with the end given to `stored_until` afterwards;
  /// null if the batch might become full by them. For rows with timestamps, call begin_times() and
  /// add_time() before they are stored.
  T* room_for(std::size_t count, bool timed) requires std::is_trivially_copyable_v<T> {
    if (timed && (rows_.size() + count) * (sizeof(T) + sizeof(timestamp_ms)) >= bytes_max_)
      return nullptr;
    if (rows_.room() <= count) rows_.extend();
    return rows_.room() > count ? rows_.end() : nullptr;
  }
  void stored_until(T* end) noexcept requires std::is_trivially_copyable_v<T> {
    rows_.set_end(end);
  }

  /// Rows without a timestamp that have gathered before get `no_timestamp`.
  void begin_times() { timestamps_.resize(rows_.size(), no_timestamp); }
  void add_time(timestamp_ms timestamp) { timestamps_.push_back(timestamp); }

  bool is_empty() const noexcept { return rows_.size() == 0; }

  batch_ptr take() {
    typed_batch_ptr<T> full(new typed_batch<T>);
    full->rows = rows_.take();
    if (!timestamps_.empty()) {
      timestamps_.resize(full->rows.size(), no_timestamp);
      full->timestamps = std::exchange(timestamps_, {});
      timestamps_.reserve(full->timestamps.size());
    }
    heap_bytes_ = 0;
    rows_.make_room_for(std::min(std::max(full->rows.size(), rows_first), rows_max_));
    return full;
  }

  /// All rows of a batch as one of their own, without touching them, if nothing has gathered yet
  /// and they are enough to be worth sending and within the limits; otherwise null, and nothing
  /// done.
  batch_ptr adopt(typed_batch<T>& from) const {
    auto& rows = from.rows;
    if (!is_empty() || rows.empty() || rows.size() > rows_max_) return nullptr;
    std::size_t bytes = rows.size() * sizeof(T);
    if constexpr (has_heap_v<T>) {
      for (const T& row : rows) bytes += millrace::heap_bytes(row);
      const auto bytes_before_last = bytes - sizeof(T) - millrace::heap_bytes(rows.back());
      if (rows.size() > 1 && bytes_before_last >= bytes_max_) return nullptr;
    }
    if (rows.size() * 2 < rows_max_ && bytes * 2 < bytes_max_) return nullptr;
    typed_batch_ptr<T> full(new typed_batch<T>);
    full->rows.swap(rows);
    full->timestamps.swap(from.timestamps);
    return full;
  }

 private:
  static constexpr std::size_t rows_first = 16;

  /// False if the batch must not become larger.
  [[gnu::noinline]] bool grow() {
    if (rows_.extend()) return true;
    if (rows_.size() >= rows_max_) return false;
    rows_.make_room_for(std::min(2 * rows_.size(), rows_max_));
    return true;
  }

  row_buffer<T> rows_;
  timestamp_column timestamps_;  // none, or of the first so many rows
  std::size_t heap_bytes_ = 0;
  std::size_t rows_max_;
  std::size_t bytes_max_;
};

}  // namespace millrace
