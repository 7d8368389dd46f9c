#include "chosen_trigger.hpp"

namespace millrace::test {

using reference::event;
using reference::plain_trigger;
using std::chrono::milliseconds;

template <class Call>
trigger_result chosen_trigger::with_all(any_trigger_context& context, Call&& call) const {
  const plain_trigger plain(job_);
  if (!job_.timeout) {
    millrace::detail::inner_trigger_context<any_trigger_context, &state::inner> inside(context);
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
