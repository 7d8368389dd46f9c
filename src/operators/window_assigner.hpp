#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/error.hpp"
#include "millrace/operators/time_window.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/operators/window_trigger.hpp"

/// Which windows a record belongs to. An assigner is a small value with
///
///     using window = …;                         // time_window, global_window, or one of your own
///     static constexpr bool is_event_time;      // whether windows end by watermarks
///     static constexpr bool is_merging;         // whether windows that touch become one
///     auto default_trigger() const;
///     void assign(const T& row, timestamp_ms at, auto&& emit) const;   // emit(window), any number
///
/// `at` is the record's timestamp in event time, else the wall clock's time.
namespace millrace {

/// An assigner, as described above, of windows for records of type T.
template <class A, class T>
concept window_assigner = std::copy_constructible<A> && requires(const A& assigner, const T& row) {
  typename A::window;
  { A::is_event_time } -> std::convertible_to<bool>;
  { A::is_merging } -> std::convertible_to<bool>;
  assigner.default_trigger();
  assigner.assign(row, timestamp_ms{}, [](const typename A::window&) {});
};

namespace detail {

inline void check_span(const char* what, std::chrono::milliseconds span) {
  if (span.count() <= 0)
    throw failure(errc::invalid_argument, std::string(what) + " must be above 0, not " +
                                              std::to_string(span.count()) + " ms");
  if (span.count() > span_max_ms)
    throw failure(errc::invalid_argument, std::string(what) + " must not be above " +
                                              std::to_string(span_max_ms) + " ms, as " +
                                              std::to_string(span.count()) + " ms is");
}

template <bool EventTime>
struct windows_of_time {
  using window = time_window;
  static constexpr bool is_event_time = EventTime;

  auto default_trigger() const {
    if constexpr (EventTime)
      return event_time_trigger();
    else
      return processing_time_trigger();
  }
};

}  // namespace detail

/// Windows of one size, each beginning where the last one ends (Flink's TumblingEventTimeWindows
/// and TumblingProcessingTimeWindows).
template <bool EventTime>
class tumbling_windows : public detail::windows_of_time<EventTime> {
 public:
  /// Windows that touch stay apart.
  static constexpr bool is_merging = false;

  /// Windows begin at multiples of `size` since the epoch plus `offset`: days of a place eight
  /// hours east of Greenwich have the offset -8h.
  static tumbling_windows of(std::chrono::milliseconds size,
                             std::chrono::milliseconds offset = {}) {
    detail::check_span("the size of a window", size);
    return tumbling_windows(size, offset);
  }

  /// One window.
  template <class T, class Emit>
  void assign(const T&, timestamp_ms at, Emit&& emit) const {
    const auto start = window_start(at, offset_, size_);
    emit(time_window{start, start + size_});
  }

  /// How long each window is, in milliseconds.
  std::int64_t size_ms() const noexcept { return size_; }
  /// From the start of one window to that of the next, in milliseconds: the size.
  std::int64_t slide_ms() const noexcept { return size_; }
  /// Where windows start, modulo the size, in milliseconds; its sign is the one that was given.
  std::int64_t offset_ms() const noexcept { return offset_; }

 private:
  tumbling_windows(std::chrono::milliseconds size, std::chrono::milliseconds offset)
      : size_(size.count()), offset_(offset.count() % size.count()) {}

  std::int64_t size_;
  std::int64_t offset_;
};

/// Windows of one size that begin every `slide`: a record is in `size / slide` of them (Flink's
/// SlidingEventTimeWindows and SlidingProcessingTimeWindows). With a slide above the size there are
/// gaps, and what falls into one is in no window.
template <bool EventTime>
class sliding_windows : public detail::windows_of_time<EventTime> {
 public:
  /// Windows overlap, and stay apart.
  static constexpr bool is_merging = false;

  /// Windows begin at multiples of `slide` since the epoch plus `offset`. Throws
  /// `failure(invalid_argument)` for a size or slide that is not above 0, or beyond `span_max_ms`.
  static sliding_windows of(std::chrono::milliseconds size, std::chrono::milliseconds slide,
                            std::chrono::milliseconds offset = {}) {
    detail::check_span("the size of a window", size);
    detail::check_span("the slide of a window", slide);
    return sliding_windows(size, slide, offset);
  }

  /// The latest window first, as in Flink.
  template <class T, class Emit>
  void assign(const T&, timestamp_ms at, Emit&& emit) const {
    for (auto start = window_start(at, offset_, slide_); start > at - size_; start -= slide_)
      emit(time_window{start, start + size_});
  }

  /// How long each window is, in milliseconds.
  std::int64_t size_ms() const noexcept { return size_; }
  /// From the start of one window to that of the next, in milliseconds.
  std::int64_t slide_ms() const noexcept { return slide_; }
  /// Where windows start, modulo the slide, in milliseconds; its sign is the one that was given.
  std::int64_t offset_ms() const noexcept { return offset_; }

 private:
  sliding_windows(std::chrono::milliseconds size, std::chrono::milliseconds slide,
                  std::chrono::milliseconds offset)
      : size_(size.count()), slide_(slide.count()), offset_(offset.count() % slide.count()) {}

  std::int64_t size_;
  std::int64_t slide_;
  std::int64_t offset_;
};

/// Records of a key that follow each other within a gap (Flink's EventTimeSessionWindows and
/// ProcessingTimeSessionWindows).
template <bool EventTime>
class session_windows : public detail::windows_of_time<EventTime> {
 public:
  /// Sessions that overlap or touch become one.
  static constexpr bool is_merging = true;

  /// A session ends when no record came for `gap`. Throws `failure(invalid_argument)` for one that
  /// is not above 0, or beyond `span_max_ms`.
  static session_windows with_gap(std::chrono::milliseconds gap) {
    detail::check_span("the gap of a session", gap);
    return session_windows(gap.count());
  }

  /// The session that the record would be alone: its time, and the gap after it.
  template <class T, class Emit>
  void assign(const T&, timestamp_ms at, Emit&& emit) const {
    emit(time_window{at, at + gap_});
  }

 private:
  explicit session_windows(std::int64_t gap) : gap_(gap) {}

  std::int64_t gap_;
};

/// Sessions whose gap depends on the record: `gap_of(const T&)` returns a duration above 0 (Flink's
/// DynamicEventTimeSessionWindows and DynamicProcessingTimeSessionWindows).
template <bool EventTime, class GapOf>
class dynamic_session_windows : public detail::windows_of_time<EventTime> {
 public:
  /// Sessions that overlap or touch become one.
  static constexpr bool is_merging = true;

  /// `gap_of` is shared by all keys, and is never opened.
  explicit dynamic_session_windows(GapOf gap_of) : gap_of_(std::move(gap_of)) {
    static_cast<void>(check_never_opened<GapOf>());
  }

  /// The session that the record would be alone. Throws `failure(invalid_argument)` if `gap_of`
  /// returns a gap that is not above 0, or beyond `span_max_ms`.
  template <class T, class Emit>
  requires std::convertible_to<std::invoke_result_t<const GapOf&, const T&>,
                               std::chrono::milliseconds>
  void assign(const T& row, timestamp_ms at, Emit&& emit) const {
    const std::chrono::milliseconds gap = std::invoke(gap_of_, row);
    detail::check_span("the gap of a session", gap);
    emit(time_window{at, at + gap.count()});
  }

 private:
  GapOf gap_of_;
};

/// All records of a key in one window, which only a trigger makes emit (Flink's GlobalWindows).
class global_windows {
 public:
  /// There is but one.
  using window = global_window;
  /// It ends neither by watermarks nor by the clock.
  static constexpr bool is_event_time = false;
  /// There is nothing to merge.
  static constexpr bool is_merging = false;

  /// All global windows are alike.
  static global_windows create() { return {}; }

  /// None that fires: `trigger(…)` says when the window emits.
  never_trigger default_trigger() const { return {}; }
  /// The one window, whatever the record and its time.
  template <class T, class Emit>
  void assign(const T&, timestamp_ms, Emit&& emit) const {
    emit(global_window());
  }
};

/// By the timestamps of the records: `tumbling_event_time_windows::of(1min)`.
using tumbling_event_time_windows = tumbling_windows<true>;
/// By the wall clock.
using tumbling_processing_time_windows = tumbling_windows<false>;
/// By the timestamps of the records: `sliding_event_time_windows::of(1min, 10s)`.
using sliding_event_time_windows = sliding_windows<true>;
/// By the wall clock.
using sliding_processing_time_windows = sliding_windows<false>;

/// Event-time sessions: `with_gap(30min)` or `with_dynamic_gap(fn)`.
struct event_time_session_windows : session_windows<true> {
  /// From what `with_gap` returns.
  event_time_session_windows(session_windows<true> base) : session_windows<true>(base) {}
  /// `gap_of(const T&)` returns the gap that the record leaves behind it.
  template <class GapOf>
  static dynamic_session_windows<true, GapOf> with_dynamic_gap(GapOf gap_of) {
    return dynamic_session_windows<true, GapOf>(std::move(gap_of));
  }
};

/// The same in processing time.
struct processing_time_session_windows : session_windows<false> {
  /// From what `with_gap` returns.
  processing_time_session_windows(session_windows<false> base) : session_windows<false>(base) {}
  /// `gap_of(const T&)` returns the gap that the record leaves behind it.
  template <class GapOf>
  static dynamic_session_windows<false, GapOf> with_dynamic_gap(GapOf gap_of) {
    return dynamic_session_windows<false, GapOf>(std::move(gap_of));
  }
};

namespace detail {

/// Assigners whose windows of aggregates are made of slices that they share.
template <class A>
inline constexpr bool has_slices =
    std::same_as<A, tumbling_windows<true>> || std::same_as<A, sliding_windows<true>>;

}  // namespace detail

}  // namespace millrace
