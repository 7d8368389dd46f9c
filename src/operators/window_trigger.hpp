#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/core/error.hpp"
#include "millrace/operators/time_window.hpp"

/// When a window emits. A trigger is a copyable object, const while it works; what it remembers of
/// a window lies in its `state`, which is keyed state:
///
///     struct first_of_each_window {
///       using state = bool;
///       template <class Row, class Window, class Context>
///       trigger_result on_element(const Row&, timestamp_ms at, const Window&, Context&) const;
///       template <class Window, class Context>
///       trigger_result on_event_time(timestamp_ms at, const Window&, Context&) const;
///       template <class Window, class Context>
///       trigger_result on_processing_time(timestamp_ms at, const Window&, Context&) const;
///       template <class Window, class Context>
///       void on_merge(const Window& merged, Context&) const;   // if windows can merge
///       template <class Window, class Context>
///       void clear(const Window&, Context&) const;
///     };
///
/// `Context` is a `trigger_context`. A trigger without on_merge can't be used with sessions, which
/// the compiler says.
namespace millrace {

/// What is to be done with a window (Flink's TriggerResult).
enum class trigger_result : std::uint8_t {
  proceed = 0,         ///< Nothing (Flink's CONTINUE).
  fire = 1,            ///< Emit the result, keep the content.
  purge = 2,           ///< Drop the content.
  fire_and_purge = 3,  ///< Emit, then drop.
};

/// Complains about a record that event time can't place.
[[noreturn]] void throw_record_without_timestamp();
/// The same for a timestamp that is none, or is out of all bounds.
[[noreturn]] void throw_unplaceable_timestamp(timestamp_ms at);

/// Whether the window's result is to be emitted.
constexpr bool fires(trigger_result r) noexcept {
  return (static_cast<int>(r) & 1) != 0;
}
/// Whether the window's content is to be dropped, after it was emitted if it is.
constexpr bool purges(trigger_result r) noexcept {
  return (static_cast<int>(r) & 2) != 0;
}

/// The state of triggers that need none.
struct no_trigger_state {
  bool operator==(const no_trigger_state&) const = default;
};

/// A trigger as described above. Only its `state` is checked here: the other members are templates,
/// of which the compiler complains where a window calls them.
template <class Trigger>
concept window_trigger = std::copy_constructible<Trigger> && encodable<typename Trigger::state>;

/// Fires once the watermark has passed the end of the window, and again for each late record within
/// the allowed lateness (Flink's EventTimeTrigger).
struct event_time_trigger {
  /// It has nothing to remember: its timer is enough.
  using state = no_trigger_state;

  /// Fires at once if the watermark is beyond the window already, which is so for late records;
  /// else sets the timer of the window's end.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row&, timestamp_ms, const Window& window,
                            Context& context) const {
    if (window.max_timestamp() <= context.current_watermark()) return trigger_result::fire;
    // The timer of a window that has rows is there already.
    if (context.is_first_row()) context.register_event_time_timer(window.max_timestamp());
    return trigger_result::proceed;
  }
  /// Fires if the timer is that of the window's end.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context&) const {
    return at == window.max_timestamp() ? trigger_result::fire : trigger_result::proceed;
  }
  /// Never fires.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  /// Sets the timer of the merged window's end, unless the watermark is there already: then the
  /// record that merged the windows fires.
  template <class Window, class Context>
  void on_merge(const Window& window, Context& context) const {
    if (window.max_timestamp() > context.current_watermark())
      context.register_event_time_timer(window.max_timestamp());
  }
  /// Takes the timer back.
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    context.delete_event_time_timer(window.max_timestamp());
  }
};

/// Fires when the wall clock has passed the end of the window (Flink's ProcessingTimeTrigger).
struct processing_time_trigger {
  /// It has nothing to remember: its timer is enough.
  using state = no_trigger_state;

  /// Sets the timer of the window's end, which is due at once if the clock is beyond it.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row&, timestamp_ms, const Window& window,
                            Context& context) const {
    // Windows of event time may end when the clock is far beyond: then each record is due at once.
    if (context.is_first_row() || window.max_timestamp() < context.current_processing_time())
      context.register_processing_time_timer(window.max_timestamp());
    return trigger_result::proceed;
  }
  /// Never fires.
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  /// Fires if the timer is that of the window's end.
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms at, const Window& window, Context&) const {
    return at == window.max_timestamp() ? trigger_result::fire : trigger_result::proceed;
  }
  /// Sets the timer of the merged window's end, unless the clock is beyond it.
  template <class Window, class Context>
  void on_merge(const Window& window, Context& context) const {
    if (window.max_timestamp() >= context.current_processing_time())
      context.register_processing_time_timer(window.max_timestamp());
  }
  /// Takes the timer back.
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    context.delete_processing_time_timer(window.max_timestamp());
  }
};

/// Never fires (Flink's NeverTrigger): the default of global windows.
struct never_trigger {
  /// It has nothing to remember.
  using state = no_trigger_state;

  /// Never fires.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row&, timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
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
  /// There is no timer to move.
  template <class Window, class Context>
  void on_merge(const Window&, Context&) const {}
  /// There is nothing to forget.
  template <class Window, class Context>
  void clear(const Window&, Context&) const {}
};

/// Fires at every `n`th record of a window since it last fired (Flink's CountTrigger). Does not
/// fire for what is left at the end of a window.
class count_trigger {
 public:
  /// Records since the window last fired.
  using state = std::int64_t;

  /// Throws `failure(invalid_argument)` unless `n` is above 0.
  static count_trigger of(std::int64_t n) {
    if (n <= 0)
      throw failure(errc::invalid_argument,
                    "a count of records must be above 0, not " + std::to_string(n));
    return count_trigger(n);
  }

  /// Fires at the nth record, and counts from 0 again.
  template <class Row, class Window, class Context>
  trigger_result on_element(const Row&, timestamp_ms, const Window&, Context& context) const {
    auto& count = context.state();
    if (++count < count_) return trigger_result::proceed;
    context.clear_state();
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
  /// Adds up the counts of the merged windows. The record that merged them is counted after that,
  /// so a sum of n or more fires with it.
  template <class Window, class Context>
  void on_merge(const Window&, Context& context) const {
    context.merge_state([](std::int64_t& into, const std::int64_t& from) { into += from; });
  }
  /// Forgets the count.
  template <class Window, class Context>
  void clear(const Window&, Context& context) const {
    context.clear_state();
  }

 private:
  explicit count_trigger(std::int64_t n) : count_(n) {}

  std::int64_t count_;
};

}  // namespace millrace
