#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "millrace/stream/batch.hpp"

namespace millrace {

/// A timestamp as a user's function returns it: milliseconds since the epoch as an integer, or a
/// time point of the system clock or a duration since the epoch, of any resolution (rounded down).
inline timestamp_ms to_timestamp(std::integral auto milliseconds) noexcept {
  return static_cast<timestamp_ms>(milliseconds);
}
/// Rounded down to milliseconds; before the epoch, too.
template <class Duration>
timestamp_ms to_timestamp(
    const std::chrono::time_point<std::chrono::system_clock, Duration>& when) noexcept {
  return std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch()).count();
}
/// Since the epoch; rounded down to milliseconds, also where it is negative.
template <class Rep, class Period>
timestamp_ms to_timestamp(const std::chrono::duration<Rep, Period>& since_epoch) noexcept {
  return std::chrono::floor<std::chrono::milliseconds>(since_epoch).count();
}

/// Finds a record's timestamp: a function of `const T&`, or of `const T&` and the timestamp it has
/// already (`no_timestamp` if none), or a pointer to member.
template <class Fn, class T>
concept timestamp_function = requires(const Fn& fn, const T& record) {
  to_timestamp(std::invoke(fn, record));
}
|| requires(const Fn& fn, const T& record, timestamp_ms before) {
  to_timestamp(std::invoke(fn, record, before));
};

/// Gives the records of a batch their timestamps, a virtual call per batch. Const and shared.
template <class T>
class timestamp_assigner {
 public:
  virtual ~timestamp_assigner() = default;
  /// Sets the timestamp of each row. `timestamps` has those that the rows have already, or is empty
  /// if none has one; afterwards it is as long as `rows`.
  virtual void assign(const row_vector<T>& rows, timestamp_column& timestamps) const = 0;
};

namespace detail {

template <class T, class Fn>
class function_assigner final : public timestamp_assigner<T> {
 public:
  explicit function_assigner(Fn fn) : fn_(std::move(fn)) {}

  void assign(const row_vector<T>& rows, timestamp_column& timestamps) const override {
    timestamps.resize(rows.size(), no_timestamp);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if constexpr (std::invocable<const Fn&, const T&, timestamp_ms>)
        timestamps[i] = to_timestamp(std::invoke(fn_, rows[i], timestamps[i]));
      else
        timestamps[i] = to_timestamp(std::invoke(fn_, rows[i]));
    }
  }

 private:
  Fn fn_;
};

}  // namespace detail

}  // namespace millrace
