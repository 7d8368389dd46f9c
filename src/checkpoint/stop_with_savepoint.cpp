#include "millrace/checkpoint/stop_with_savepoint.hpp"

#include <utility>

#include "millrace/core/assert.hpp"

namespace millrace {

const std::string& stop_with_savepoint::saved_at() const noexcept {
  static const std::string none;
  return phase_ == phase::stopping ? location_ : none;
}

stop_decision stop_with_savepoint::on_request(bool drain) {
  MILLRACE_ASSERT(!is_under_way(), "a job stops once");
  is_drained_ = drain;
  location_.clear();
  return begin();
}

void stop_with_savepoint::recover(bool drain, std::string location) {
  MILLRACE_ASSERT(!is_under_way(), "a job stops once");
  is_drained_ = drain;
  location_ = std::move(location);
  phase_ = phase::recovering;
}

stop_decision stop_with_savepoint::begin() {
  phase_ = is_drained_ ? phase::draining : phase::saving;
  stop_decision decision;
  (is_drained_ ? decision.drain_sources : decision.take_savepoint) = true;
  return decision;
}

stop_decision stop_with_savepoint::on_all_await_last() {
  stop_decision decision;
  if (phase_ != phase::draining) return decision;
  phase_ = phase::saving;
  decision.take_savepoint = true;
  return decision;
}

std::string stop_with_savepoint::on_saved(std::string location) {
  if (phase_ != phase::saving && phase_ != phase::recovering) return {};
  if (phase_ == phase::saving) phase_ = phase::stopping;
  return std::exchange(location_, std::move(location));
}

stop_decision stop_with_savepoint::on_not_saved(const error& why) {
  return phase_ == phase::saving ? give_up(why) : stop_decision();
}

stop_decision stop_with_savepoint::on_failure(bool may_be_open) {
  switch (phase_) {
    case phase::idle:
    case phase::recovering:
    case phase::too_late:
      return {};
    case phase::stopping:
      return recover_from_failure();
    case phase::saving:
      if (may_be_open) return recover_from_failure();
      [[fallthrough]];
    case phase::draining:
      return give_up({errc::stale, "a task failed before the savepoint was complete"});
  }
  return {};
}

/// Others have ended already, or are about to: they, too, begin again.
stop_decision stop_with_savepoint::recover_from_failure() {
  stop_decision decision;
  decision.restart_all = true;
  phase_ = phase::recovering;
  return decision;
}

stop_decision stop_with_savepoint::on_running() {
  return phase_ == phase::recovering ? begin() : stop_decision();
}

void stop_with_savepoint::on_all_finished() {
  if (phase_ != phase::idle && phase_ != phase::stopping) phase_ = phase::too_late;
}

stop_decision stop_with_savepoint::on_finished() {
  stop_decision decision;
  if (phase_ == phase::stopping)
    decision.answer = location_;
  else if (phase_ != phase::idle)
    decision.answer =
        fail(errc::stale,
             "the job finished by itself before the savepoint was taken" + of_earlier_savepoint());
  phase_ = phase::idle;
  return decision;
}

stop_decision stop_with_savepoint::on_ended(const error& why) {
  stop_decision decision;
  const bool is_saved = phase_ == phase::stopping || phase_ == phase::recovering;
  if (is_saved && !location_.empty())
    decision.answer =
        fail(why.code, "the savepoint at " + location_ +
                           " is complete, but the job did not stop by it: " + why.message);
  else if (phase_ != phase::idle)
    decision.answer = fail(why.code, why.message + of_earlier_savepoint());
  phase_ = phase::idle;
  return decision;
}

stop_decision stop_with_savepoint::give_up(error why) {
  stop_decision decision;
  decision.resume = true;
  decision.forget = true;
  decision.restart_all = is_drained_;
  why.message += is_drained_ ? "; its sources had ended, so the job goes on by a restart, if at all"
                             : "; the job goes on";
  why.message += of_earlier_savepoint();
  decision.answer = tl::unexpected(std::move(why));
  phase_ = phase::idle;
  return decision;
}

std::string stop_with_savepoint::of_earlier_savepoint() const {
  return location_.empty()
             ? std::string()
             : "; the savepoint at " + location_ + ", from before a restart, is complete";
}

}  // namespace millrace
