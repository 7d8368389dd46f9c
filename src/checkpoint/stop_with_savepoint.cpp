#include "millrace/checkpoint/stop_with_savepoint.hpp"

#include <utility>

#include "millrace/core/assert.hpp"

namespace millrace {

stop_decision stop_with_savepoint::on_request(bool drain) {
  MILLRACE_ASSERT(!is_under_way(), "a job stops once");
  is_drained_ = drain;
  phase_ = drain ? phase::draining : phase::saving;
  stop_decision decision;
  (drain ? decision.drain_sources : decision.take_savepoint) = true;
  return decision;
}

stop_decision stop_with_savepoint::on_all_await_last() {
  stop_decision decision;
  if (phase_ != phase::draining) return decision;
  phase_ = phase::saving;
  decision.take_savepoint = true;
  return decision;
}

void stop_with_savepoint::on_saved(std::string location) {
  if (phase_ != phase::saving) return;
  phase_ = phase::stopping;
  location_ = std::move(location);
}

stop_decision stop_with_savepoint::on_not_saved(const error& why) {
  return phase_ == phase::saving ? give_up(why) : stop_decision();
}

stop_decision stop_with_savepoint::on_failure() {
  switch (phase_) {
    case phase::idle:
      return {};
    case phase::stopping: {
      // Others have ended already: they, too, begin again from the savepoint.
      stop_decision decision;
      decision.restart_all = true;
      decision.answer = fail(errc::stale, "the savepoint at " + location_ +
                                              " is complete, but a task failed before the job had "
                                              "stopped: the job goes on from the savepoint");
      phase_ = phase::idle;
      return decision;
    }
    case phase::draining:
    case phase::saving:
      return give_up({errc::stale, "a task failed before the savepoint was complete"});
  }
  return {};
}

stop_decision stop_with_savepoint::on_finished() {
  stop_decision decision;
  if (phase_ == phase::stopping)
    decision.answer = std::exchange(location_, {});
  else if (phase_ != phase::idle)
    decision.answer =
        fail(errc::stale, "the job finished by itself before the savepoint was taken");
  phase_ = phase::idle;
  return decision;
}

stop_decision stop_with_savepoint::on_ended(const error& why) {
  stop_decision decision;
  if (phase_ == phase::stopping)
    decision.answer =
        fail(why.code, "the savepoint at " + location_ +
                           " is complete, but the job did not stop by it: " + why.message);
  else if (phase_ != phase::idle)
    decision.answer = tl::unexpected(why);
  phase_ = phase::idle;
  return decision;
}

stop_decision stop_with_savepoint::give_up(error why) {
  stop_decision decision;
  decision.resume = true;
  decision.restart_all = is_drained_;
  why.message += is_drained_ ? "; its sources had ended, so the job is restarted from its last "
                               "checkpoint"
                             : "; the job goes on";
  decision.answer = tl::unexpected(std::move(why));
  phase_ = phase::idle;
  return decision;
}

}  // namespace millrace
