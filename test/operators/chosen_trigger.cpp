#include "chosen_trigger.hpp"

namespace millrace::test {

using reference::event;
using reference::triggering;
using std::chrono::milliseconds;

// -- triggers that fire by themselves ----------------------------------------------------------

template <class Context, class Call>
trigger_result plain_trigger::with_chosen(Context& context, Call&& call) const {
  detail::inner_trigger_context<Context, &state::next> next(context);
  detail::inner_trigger_context<Context, &state::count> count(context);
  detail::inner_trigger_context<Context, &state::last> last(context);
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

template <class Window, class Context>
trigger_result plain_trigger::on_element(const event& e, timestamp_ms at, Window w,
                                         Context& context) const {
  return with_chosen(context, [&](const auto& trigger, auto& inside) {
    return trigger.on_element(e, at, w, inside);
  });
}
template <class Window, class Context>
trigger_result plain_trigger::on_event_time(timestamp_ms at, Window w, Context& context) const {
  return with_chosen(context, [&](const auto& trigger, auto& inside) {
    return trigger.on_event_time(at, w, inside);
  });
}
template <class Window, class Context>
trigger_result plain_trigger::on_processing_time(timestamp_ms at, Window w,
                                                 Context& context) const {
  return with_chosen(context, [&](const auto& trigger, auto& inside) {
    return trigger.on_processing_time(at, w, inside);
  });
}
template <class Window, class Context>
void plain_trigger::on_merge(Window w, Context& context) const {
  with_chosen(context, [&](const auto& trigger, auto& inside) {
    if constexpr (requires { trigger.on_merge(w, inside); }) trigger.on_merge(w, inside);
    return trigger_result::proceed;
  });
}
template <class Window, class Context>
void plain_trigger::clear(Window w, Context& context) const {
  with_chosen(context, [&](const auto& trigger, auto& inside) {
    trigger.clear(w, inside);
    return trigger_result::proceed;
  });
}

// -- and what may be around them ---------------------------------------------------------------

template <class Call>
trigger_result chosen_trigger::with_all(any_trigger_context& context, Call&& call) const {
  const plain_trigger plain(job_);
  if (!job_.timeout) {
    detail::inner_trigger_context<any_trigger_context, &state::inner> inside(context);
    return call(plain, inside);
  }
  const timed_trigger timed(
      plain, milliseconds(*job_.timeout),
      {.reset_on_new_record = job_.timeout_resets, .clear_on_timeout = job_.timeout_clears});
  return job_.timeout_purges ? call(purging_trigger(timed), context) : call(timed, context);
}

trigger_result chosen_trigger::on_element_of(const event& e, timestamp_ms at, any_window w,
                                             any_trigger_context& context) const {
  return with_all(context, [&](const auto& trigger, auto& inside) {
    return trigger.on_element(e, at, w, inside);
  });
}
trigger_result chosen_trigger::on_event_time_of(timestamp_ms at, any_window w,
                                                any_trigger_context& context) const {
  return with_all(context, [&](const auto& trigger, auto& inside) {
    return trigger.on_event_time(at, w, inside);
  });
}
trigger_result chosen_trigger::on_processing_time_of(timestamp_ms at, any_window w,
                                                     any_trigger_context& context) const {
  return with_all(context, [&](const auto& trigger, auto& inside) {
    return trigger.on_processing_time(at, w, inside);
  });
}
void chosen_trigger::on_merge_of(any_window w, any_trigger_context& context) const {
  with_all(context, [&](const auto& trigger, auto& inside) {
    trigger.on_merge(w, inside);
    return trigger_result::proceed;
  });
}
void chosen_trigger::clear_of(any_window w, any_trigger_context& context) const {
  with_all(context, [&](const auto& trigger, auto& inside) {
    trigger.clear(w, inside);
    return trigger_result::proceed;
  });
  context.clear_state();
}

}  // namespace millrace::test
