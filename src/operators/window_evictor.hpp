#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/operators/time_window.hpp"
#include "millrace/operators/user_function.hpp"

/// What a window forgets around each firing. An evictor is a copyable object with
///
///     void evict_before(std::vector<timestamped<T>>& rows) const;   // before the function
///     void evict_after(std::vector<timestamped<T>>& rows) const;    // after it
///
/// Rows are in the order of their arrival; where sessions have become one, those of one session
/// come after those of the other. With an evictor a window keeps all of them.
namespace millrace {

/// A record with its event time, or `no_timestamp` (Flink's TimestampedValue).
template <class T>
struct timestamped {
  timestamp_ms at = no_timestamp;  ///< Milliseconds since the epoch.
  T value{};                       ///< The record.
};

/// No evictor.
struct no_evictor {};

/// An evictor, as described above, of records of type T.
template <class E, class T>
concept window_evictor = std::copy_constructible<E> &&
    requires(const E& evictor, std::vector<timestamped<T>>& rows) {
  evictor.evict_before(rows);
  evictor.evict_after(rows);
};

/// Whether an evictor works before or after the window function.
enum class evict : std::uint8_t { before, after };

namespace detail {

/// Calls `Self::apply(rows)` at the chosen side.
template <class Self>
class sided_evictor {
 public:
  explicit sided_evictor(evict side) : side_(side) {}

  template <class Rows>
  void evict_before(Rows& rows) const {
    if (side_ == evict::before) static_cast<const Self&>(*this).apply(rows);
  }
  template <class Rows>
  void evict_after(Rows& rows) const {
    if (side_ == evict::after) static_cast<const Self&>(*this).apply(rows);
  }

 private:
  evict side_;
};

}  // namespace detail

/// Keeps the last `n` records (Flink's CountEvictor).
class count_evictor : public detail::sided_evictor<count_evictor> {
 public:
  /// Throws `failure(invalid_argument)` for a negative `n`; 0 keeps nothing.
  static count_evictor of(std::int64_t n, evict side = evict::before) {
    if (n < 0)
      throw failure(errc::invalid_argument,
                    "a count_evictor can't keep " + std::to_string(n) + " records");
    return count_evictor(n, side);
  }

  /// Drops what came first.
  template <class Rows>
  void apply(Rows& rows) const {
    const auto size = static_cast<std::int64_t>(rows.size());
    if (size > n_) rows.erase(rows.begin(), rows.begin() + (size - n_));
  }

 private:
  count_evictor(std::int64_t n, evict side) : sided_evictor(side), n_(n) {}

  std::int64_t n_;
};

/// Keeps the records of the last `size` of event time: those later than the window's latest
/// timestamp minus `size` (Flink's TimeEvictor). Does nothing to records without timestamps.
class time_evictor : public detail::sided_evictor<time_evictor> {
 public:
  /// Throws `failure(invalid_argument)` for a negative `size`.
  static time_evictor of(std::chrono::milliseconds size, evict side = evict::before) {
    if (size.count() < 0)
      throw failure(errc::invalid_argument,
                    "a time_evictor can't keep " + std::to_string(size.count()) + " ms of records");
    return time_evictor(size.count(), side);
  }

  /// Drops what is too old. Looks at all records, as they need not be in order.
  template <class Rows>
  void apply(Rows& rows) const {
    if (rows.empty() || rows.front().at == no_timestamp) return;
    timestamp_ms latest = no_timestamp;
    for (const auto& row : rows) latest = std::max(latest, row.at);
    std::erase_if(rows,
                  [&](const auto& row) { return row.at <= saturating_subtract(latest, size_); });
  }

 private:
  time_evictor(std::int64_t size, evict side) : sided_evictor(side), size_(size) {}

  std::int64_t size_;
};

/// Keeps the records whose `distance(const T& record, const T& last)` is below a threshold (Flink's
/// DeltaEvictor).
template <class Distance>
class delta_evictor : public detail::sided_evictor<delta_evictor<Distance>> {
 public:
  /// Keeps the records for which `distance` returns less than `threshold`. The function is shared
  /// by all keys, and is never opened.
  delta_evictor(double threshold, Distance distance, evict side = evict::before)
      : detail::sided_evictor<delta_evictor>(side),
        threshold_(threshold),
        distance_(std::move(distance)) {
    static_cast<void>(check_never_opened<Distance>());
  }

  /// Drops what is too far from the last record, which may be that itself.
  template <class T>
  void apply(std::vector<timestamped<T>>& rows) const {
    if (rows.empty()) return;
    const T last = rows.back().value;
    std::erase_if(rows, [&](const auto& row) {
      return std::invoke(distance_, row.value, last) >= threshold_;
    });
  }

 private:
  double threshold_;
  Distance distance_;
};

}  // namespace millrace
