#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "millrace/operators/window_triggers.hpp"
#include "reference/window_reference.hpp"

namespace millrace::test::reference {

/// What any of the triggers remembers that a job may choose from.
struct trigger_memory {
  next_firing next;
  std::int64_t count = 0;
  std::optional<event> last;
};

/// One of the triggers that fire by themselves, purging or not, as a job says: one window operator
/// does for all of them.
class plain_trigger {
 public:
  using state = trigger_memory;

  explicit plain_trigger(const window_job& job) : job_(job) {}

  template <class Window, class Context>
  trigger_result on_element(const event& e, timestamp_ms at, Window w, Context& context) const {
    return with_chosen(context, [&](const auto& trigger, auto& inside) {
      return trigger.on_element(e, at, w, inside);
    });
  }
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, Window w, Context& context) const {
    return with_chosen(context, [&](const auto& trigger, auto& inside) {
      return trigger.on_event_time(at, w, inside);
    });
  }
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms at, Window w, Context& context) const {
    return with_chosen(context, [&](const auto& trigger, auto& inside) {
      return trigger.on_processing_time(at, w, inside);
    });
  }
  template <class Window, class Context>
  void on_merge(Window w, Context& context) const {
    with_chosen(context, [&](const auto& trigger, auto& inside) {
      if constexpr (requires { trigger.on_merge(w, inside); }) trigger.on_merge(w, inside);
      return trigger_result::proceed;
    });
  }
  template <class Window, class Context>
  void clear(Window w, Context& context) const {
    with_chosen(context, [&](const auto& trigger, auto& inside) {
      trigger.clear(w, inside);
      return trigger_result::proceed;
    });
  }

 private:
  template <class Context, class Call>
  trigger_result with_chosen(Context& context, Call&& call) const {
    using std::chrono::milliseconds;
    millrace::detail::inner_trigger_context<Context, &state::next> next(context);
    millrace::detail::inner_trigger_context<Context, &state::count> count(context);
    millrace::detail::inner_trigger_context<Context, &state::last> last(context);
    const auto as = [&](const auto& trigger, auto& inside) {
      return job_.purges ? call(purging_trigger(trigger), inside) : call(trigger, inside);
    };
    switch (job_.trigger) {
      case triggering::at_end:
        return as(event_time_trigger(), context);
      case triggering::at_clock_end:
        return as(processing_time_trigger(), context);
      case triggering::continuously:
        return as(continuous_event_time_trigger::of(milliseconds(job_.interval)), next);
      case triggering::continuously_by_clock:
        return as(continuous_processing_time_trigger::of(milliseconds(job_.interval)), next);
      case triggering::every_n:
        return as(count_trigger::of(job_.n), count);
      case triggering::by_delta:
        return as(make_delta_trigger<event>(static_cast<double>(job_.delta),
                                            [](const event& before, const event& now) {
                                              return static_cast<double>(now.value - before.value);
                                            }),
                  last);
    }
    return trigger_result::proceed;
  }

  window_job job_;
};

}  // namespace millrace::test::reference
