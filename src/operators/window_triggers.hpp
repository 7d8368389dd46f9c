#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "millrace/core/error.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/operators/window_trigger.hpp"

/// Triggers beside the default ones.
namespace millrace {

/// When a window fires next: nothing before its first record.
using next_firing = std::optional<timestamp_ms>;

namespace detail {

inline std::int64_t checked_interval(std::chrono::milliseconds interval) {
  if (interval.count() <= 0)
    throw failure(errc::invalid_argument, "the interval of a trigger must be above 0, not " +
                                              std::to_string(interval.count()) + " ms");
  return interval.count();
}

inline void keep_earlier(next_firing& into, const next_firing& from) {
  if (from && (!into || *from < *into)) into = from;
}

}  // namespace detail

/// Fires each `interval` of event time while a window has records, and at its end (Flink's
/// ContinuousEventTimeTrigger).
class continuous_event_time_trigger {
 public:
  /// The event time at which the window fires next.
  using state = next_firing;

  /// Firings are at multiples of `interval` since the epoch. Throws `failure(invalid_argument)`
  /// unless it is above 0.
  static continuous_event_time_trigger of(std::chrono::milliseconds interval) {
    return continuous_event_time_trigger(detail::checked_interval(interval));
  }

  /// Fires at once if the watermark is beyond the window already; else sees to it that there are
  /// timers for the next multiple of the interval after the record's own time, and for the window's
  /// end. Throws `failure` for a record without timestamp.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row&, timestamp_ms at, const Window& window,
                            Context& context) const {
    if (at == no_timestamp) throw_record_without_timestamp();
    if (window.max_timestamp() <= context.current_watermark()) return trigger_result::fire;
    if (context.is_first_row()) context.register_event_time_timer(window.max_timestamp());
    if (auto& next = context.state(); !next)
      register_next(next, window_start(at, 0, interval_), window, context);
    return trigger_result::proceed;
  }
  /// Fires at its own timers, and sets the next one unless the window ends.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context& context) const {
    auto& next = context.state();
    if (at == window.max_timestamp()) {
      next.reset();  // a late record may yet make the window part of a longer one
      return trigger_result::fire;
    }
    if (next != at) return trigger_result::proceed;
    register_next(next, at, window, context);
    return trigger_result::fire;
  }
  /// Never fires.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  /// Goes on with the earliest of the merged windows' firings, and with the merged window's end.
  template <class Window, class Context>
  void on_merge(const Window& window, Context& context) const {
    context.merge_state(detail::keep_earlier);
    // One that has ended has fired for the record that merged it.
    if (window.max_timestamp() > context.current_watermark())
      context.register_event_time_timer(window.max_timestamp());
    if (const auto& next = context.state()) context.register_event_time_timer(*next);
  }
  /// Takes the timers back.
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    if (const auto* next = context.find_state(); next != nullptr && *next)
      context.delete_event_time_timer(**next);
    context.delete_event_time_timer(window.max_timestamp());
    context.clear_state();
  }

 private:
  explicit continuous_event_time_trigger(std::int64_t interval) : interval_(interval) {}

  template <class Window, class Context>
  void register_next(next_firing& next, timestamp_ms after, const Window& window,
                     Context& context) const {
    next = std::min(saturating_add(after, interval_), window.max_timestamp());
    context.register_event_time_timer(*next);
  }

  std::int64_t interval_;
};

/// Fires each `interval` of the wall clock while a window has records, and at its end (Flink's
/// ContinuousProcessingTimeTrigger). The end of a window of event time is where the watermark
/// passes it, whatever the clock says. (Flink's compares that end with the clock: over a stream of
/// the past it fires once and then no more.)
class continuous_processing_time_trigger {
 public:
  /// The wall clock's time at which the window fires next.
  using state = next_firing;

  /// Firings are at multiples of `interval` since the epoch. Throws `failure(invalid_argument)`
  /// unless it is above 0.
  static continuous_processing_time_trigger of(std::chrono::milliseconds interval) {
    return continuous_processing_time_trigger(detail::checked_interval(interval));
  }

  /// Fires at once if the window is one of event time and the watermark is beyond it; else sees to
  /// it that there are timers for the next multiple of the interval on the wall clock, and for the
  /// window's end.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row&, timestamp_ms, const Window& window,
                            Context& context) const {
    if (context.ends_by_event_time()) {
      if (window.max_timestamp() <= context.current_watermark()) return trigger_result::fire;
      if (context.is_first_row()) context.register_event_time_timer(window.max_timestamp());
    }
    if (auto& next = context.state(); !next)
      register_next(next, window_start(context.current_processing_time(), 0, interval_), window,
                    context);
    return trigger_result::proceed;
  }
  /// Fires at the end of a window of event time, after which no interval counts.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context& context) const {
    if (!context.ends_by_event_time() || at != window.max_timestamp())
      return trigger_result::proceed;
    forget_next(context);
    return trigger_result::fire;
  }
  /// Fires at its own timer and sets the next one, unless a window of processing time ends.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms at, const Window& window, Context& context) const {
    if (const auto* next = context.find_state(); next == nullptr || *next != at)
      return trigger_result::proceed;
    // Nothing comes behind the end of a window of processing time.
    if (context.ends_by_event_time() || at < window.max_timestamp())
      register_next(context.state(), at, window, context);
    return trigger_result::fire;
  }
  /// Goes on with the earliest of the merged windows' firings, and with the merged window's end.
  template <class Window, class Context>
  void on_merge(const Window& window, Context& context) const {
    context.merge_state(detail::keep_earlier);
    if (context.ends_by_event_time() && window.max_timestamp() > context.current_watermark())
      context.register_event_time_timer(window.max_timestamp());
    if (const auto* next = context.find_state(); next != nullptr && *next)
      context.register_processing_time_timer(**next);
  }
  /// Takes the timers back.
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    forget_next(context);
    if (context.ends_by_event_time()) context.delete_event_time_timer(window.max_timestamp());
    context.clear_state();
  }

 private:
  explicit continuous_processing_time_trigger(std::int64_t interval) : interval_(interval) {}

  template <class Window, class Context>
  void register_next(next_firing& next, timestamp_ms after, const Window& window,
                     Context& context) const {
    next = saturating_add(after, interval_);
    if (!context.ends_by_event_time()) next = std::min(*next, window.max_timestamp());
    context.register_processing_time_timer(*next);
  }
  template <class Context>
  void forget_next(Context& context) const {
    const auto* next = context.find_state();
    if (next == nullptr || !*next) return;
    context.delete_processing_time_timer(**next);
    context.state().reset();
  }

  std::int64_t interval_;
};

/// Fires at each record that is further than a threshold from the one it last fired at, or from the
/// window's first: `distance(const T& last, const T& now)` (Flink's DeltaTrigger).
template <class T, class Distance>
class delta_trigger {
 public:
  /// The record that the window last fired at, or its first; nothing before that.
  using state = std::optional<T>;

  /// Fires where `distance` returns more than `threshold`. The function is shared by all keys, and
  /// is never opened.
  delta_trigger(double threshold, Distance distance)
      : threshold_(threshold), distance_(std::move(distance)) {
    static_cast<void>(check_never_opened<Distance>());
  }

  /// Fires if the record is too far from the one that is remembered, and remembers it instead. The
  /// first record of a window is remembered only.
  template <class Window, class Context>
  trigger_result on_element(const T& row, timestamp_ms, const Window&, Context& context) const {
    auto& last = context.state();
    if (!last) {
      last = row;
      return trigger_result::proceed;
    }
    if (!(std::invoke(distance_, std::as_const(*last), row) > threshold_))
      return trigger_result::proceed;
    last = row;
    return trigger_result::fire;
  }
  /// Never fires.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  /// Never fires.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  /// Forgets the record.
  template <class Window, class Context>
  void clear(const Window&, Context& context) const {
    context.clear_state();
  }

 private:
  double threshold_;
  Distance distance_;
};

/// `make_delta_trigger<trip>(50.0, distance_km)`
template <class T, class Distance>
delta_trigger<T, Distance> make_delta_trigger(double threshold, Distance distance) {
  return delta_trigger<T, Distance>(threshold, std::move(distance));
}

namespace detail {

/// What a trigger inside another one sees: its own part of the state. If it `starts_anew`, each
/// record is like the first of the window to it.
template <class Context, auto Part>
class inner_trigger_context {
 public:
  explicit inner_trigger_context(Context& outer, bool starts_anew = false)
      : outer_(outer), starts_anew_(starts_anew) {}

  timestamp_ms current_watermark() const { return outer_.current_watermark(); }
  timestamp_ms current_processing_time() const { return outer_.current_processing_time(); }
  bool ends_by_event_time() const { return outer_.ends_by_event_time(); }
  bool is_ending() const { return outer_.is_ending(); }
  bool is_first_row() const { return starts_anew_ || outer_.is_first_row(); }
  void register_event_time_timer(timestamp_ms at) { outer_.register_event_time_timer(at); }
  void register_processing_time_timer(timestamp_ms at) {
    outer_.register_processing_time_timer(at);
  }
  void delete_event_time_timer(timestamp_ms at) { outer_.delete_event_time_timer(at); }
  void delete_processing_time_timer(timestamp_ms at) { outer_.delete_processing_time_timer(at); }
  auto& state() { return outer_.state().*Part; }
  auto find_state() {
    const auto* all = outer_.find_state();
    return all == nullptr ? nullptr : &(all->*Part);
  }
  void clear_state() {
    if (outer_.find_state() != nullptr) state() = {};
  }
  template <class Merge>
  void merge_state(Merge&& merge) {
    outer_.merge_state([&](auto& into, const auto& from) { merge(into.*Part, from.*Part); });
  }

 private:
  Context& outer_;
  bool starts_anew_;
};

}  // namespace detail

/// Another trigger, whose firing also drops the content of the window (Flink's PurgingTrigger).
template <class Inner>
class purging_trigger {
 public:
  /// What the inner trigger remembers.
  using state = typename Inner::state;

  /// As the constructor.
  static purging_trigger of(Inner inner) { return purging_trigger(std::move(inner)); }
  /// Takes the trigger whose decisions count.
  explicit purging_trigger(Inner inner) : inner_(std::move(inner)) {}

  /// Purges if the inner trigger fires.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row& row, timestamp_ms at, const Window& window,
                            Context& context) const {
    return purging(inner_.on_element(row, at, window, context));
  }
  /// Purges if the inner trigger fires.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context& context) const {
    return purging(inner_.on_event_time(at, window, context));
  }
  /// Purges if the inner trigger fires.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms at, const Window& window, Context& context) const {
    return purging(inner_.on_processing_time(at, window, context));
  }
  /// That of the inner trigger, which must have one for windows that merge.
  template <class Window, class Context>
  requires requires(const Inner& inner, const Window& window, Context& context) {
    inner.on_merge(window, context);
  }
  void on_merge(const Window& window, Context& context) const { inner_.on_merge(window, context); }
  /// That of the inner trigger. What the window holds is the window's own.
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    inner_.clear(window, context);
  }

 private:
  static trigger_result purging(trigger_result r) noexcept {
    return fires(r) ? trigger_result::fire_and_purge : r;
  }

  Inner inner_;
};

/// Settings of a processing_time_timeout_trigger.
struct timeout_options {
  bool reset_on_new_record = false;  ///< Whether each record starts the time anew.
  bool clear_on_timeout = true;      ///< Whether the inner trigger forgets what it had.
};

/// Another trigger, and besides a firing when a window had records for so long on the wall clock
/// without one (Flink's ProcessingTimeoutTrigger). Unlike Flink's it leaves the inner trigger's own
/// timers to the inner trigger: only the timeout is a timeout. A trigger that was made to forget
/// starts anew with the next record: a window that has fired and got nothing since does not fire
/// again.
template <class Inner>
class processing_time_timeout_trigger {
 public:
  /// One timer at a time, which is not taken back: it may be one of the inner trigger's, too.
  struct state {
    typename Inner::state inner{};  ///< What the inner trigger remembers.
    next_firing timeout;            ///< Nothing if no record waits.
    next_firing timer;              ///< Not later than the timeout.
  };

  /// `timeout` counts from the first record since the last firing, or from each record, as the
  /// options say. Throws `failure(invalid_argument)` unless it is above 0.
  processing_time_timeout_trigger(Inner inner, std::chrono::milliseconds timeout,
                                  timeout_options options = {})
      : inner_(std::move(inner)), timeout_(detail::checked_interval(timeout)), options_(options) {}

  /// Fires if the inner trigger does, after which no timeout is under way; else the record waits
  /// for the timeout.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row& row, timestamp_ms at, const Window& window,
                            Context& context) const {
    const auto* before = context.find_state();
    inner_context<Context> inside(context, before == nullptr || !before->timeout);
    const auto result = inner_.on_element(row, at, window, inside);
    if (fires(result)) {
      clear(window, context);
      return result;
    }
    auto& now = context.state();
    if (!now.timeout || options_.reset_on_new_record)
      now.timeout = saturating_add(context.current_processing_time(), timeout_);
    if (!now.timer) set_timer(now, context);
    return result;
  }
  /// Fires if the inner trigger does.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context& context) const {
    if (context.find_state() == nullptr) return trigger_result::proceed;
    inner_context<Context> inside(context);
    const auto result = inner_.on_event_time(at, window, inside);
    if (fires(result)) context.state().timeout.reset();
    return result;
  }
  /// Fires if the timeout is over, or if the inner trigger does.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms at, const Window& window, Context& context) const {
    if (context.find_state() == nullptr) return trigger_result::proceed;
    inner_context<Context> inside(context);
    const auto result = inner_.on_processing_time(at, window, inside);
    auto& now = context.state();
    const bool is_ours = now.timer == at;
    if (is_ours) now.timer.reset();
    // At the end of the input no later timer comes: the clock is at its end.
    const bool is_timeout =
        is_ours && now.timeout &&
        (*now.timeout == at || (context.is_ending() && *now.timeout <= window.max_timestamp()));
    if (!is_timeout) {
      if (fires(result)) now.timeout.reset();
      if (is_ours && now.timeout) set_timer(now, context);
      return result;
    }
    now.timeout.reset();
    if (options_.clear_on_timeout) clear(window, context);
    return purges(result) ? trigger_result::fire_and_purge : trigger_result::fire;
  }
  /// Goes on with the earliest timeout of the merged windows. The inner trigger must have an
  /// on_merge, too.
  template <class Window, class Context>
  requires requires(const Inner& inner, const Window& window, Context& context) {
    inner.on_merge(window, context);
  }
  void on_merge(const Window& window, Context& context) const {
    context.merge_state([](state& into, const state& from) {
      detail::keep_earlier(into.timeout, from.timeout);
      detail::keep_earlier(into.timer, from.timer);
    });
    inner_context<Context> inside(context);
    inner_.on_merge(window, inside);
    if (const auto* now = context.find_state(); now != nullptr && now->timer)
      context.register_processing_time_timer(*now->timer);
  }
  /// Takes the timer back, and has the inner trigger forget what it had.
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    inner_context<Context> inside(context);
    inner_.clear(window, inside);
    if (const auto* now = context.find_state(); now != nullptr && now->timer)
      context.delete_processing_time_timer(*now->timer);
    context.clear_state();
  }

 private:
  template <class Context>
  using inner_context = detail::inner_trigger_context<Context, &state::inner>;

  template <class Context>
  static void set_timer(state& now, Context& context) {
    now.timer = now.timeout;
    context.register_processing_time_timer(*now.timer);
  }

  Inner inner_;
  std::int64_t timeout_;
  timeout_options options_;
};

}  // namespace millrace
