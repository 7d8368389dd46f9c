#include "millrace/actors/job_savepoints.hpp"

#include <caf/event_based_actor.hpp>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

job_savepoints::job_savepoints(caf::event_based_actor& self, job_checkpoints& checkpoints,
                               std::string default_directory, hooks h)
    : self_(self),
      checkpoints_(checkpoints),
      default_directory_(std::move(default_directory)),
      hooks_(std::move(h)) {}

result<std::string> job_savepoints::directory_of(const std::string& given) const {
  const auto& directory = given.empty() ? default_directory_ : given;
  if (!directory.empty()) return directory;
  return fail(errc::invalid_argument,
              "say where the savepoint is to be: name a directory, or set " +
                  std::string(options::savepoints_directory.key));
}

caf::result<wire::checkpoint_taken> job_savepoints::take(const std::string& directory) {
  auto where = directory_of(directory);
  if (!where) return to_caf(where.error());
  if (stop_.is_under_way())
    return to_caf({errc::stale, "the job is being stopped with a savepoint already"});
  auto promise = self_.make_response_promise();
  const caf::result<wire::checkpoint_taken> answer = promise;
  checkpoints_.take_savepoint(checkpoint_kind::savepoint, *std::move(where),
                              [promise](result<checkpoint_record> done) mutable {
                                if (done)
                                  promise.deliver(wire::checkpoint_taken{*std::move(done)});
                                else
                                  promise.deliver(to_caf(done.error()));
                              });
  return answer;
}

void job_savepoints::recover(const std::string& location, const job_stop& stop) {
  stop_directory_ = stop.directory;
  checkpoints_.note_stop(stop);
  stop_.recover(stop.is_drained, location);
}

caf::result<wire::checkpoint_taken> job_savepoints::stop(const std::string& directory, bool drain) {
  if (stop_.is_under_way() && stop_.is_drained() == drain)
    return stoppers_.emplace_back(self_.make_response_promise());
  auto where = directory_of(directory);
  if (!where) return to_caf(where.error());
  if (stop_.is_under_way())
    return to_caf({errc::stale, "the job is being stopped with a savepoint already"});
  if (!checkpoints_.is_running())
    return to_caf({errc::stale,
                   "the job can't be stopped with a savepoint now: not all of its tasks "
                   "run"});
  stop_directory_ = *std::move(where);
  const caf::result<wire::checkpoint_taken> answer =
      stoppers_.emplace_back(self_.make_response_promise());
  checkpoints_.hold();
  checkpoints_.note_stop({stop_directory_, drain});
  carry_out(stop_.on_request(drain));
  return answer;
}

bool job_savepoints::on_all_await_last() {
  const auto decision = stop_.on_all_await_last();
  carry_out(decision);
  return decision.take_savepoint;
}

bool job_savepoints::on_failure() {
  if (ended_) return false;
  auto decision = stop_.on_failure(!checkpoints_.is_settled());
  // The failure itself sees to that.
  const bool restarts_all = std::exchange(decision.restart_all, false);
  decision.resume = false;
  carry_out(decision);
  return restarts_all;
}

void job_savepoints::on_running() {
  const auto decision = stop_.on_running();
  if (decision.take_savepoint || decision.drain_sources) checkpoints_.hold();
  carry_out(decision);
}

void job_savepoints::on_all_finished() {
  stop_.on_all_finished();
}

void job_savepoints::on_finished() {
  carry_out(stop_.on_finished());
}

void job_savepoints::on_ended(const error& why) {
  if (!is_final_open_ || !stop_.is_under_way())
    carry_out(stop_.on_ended(why));
  else if (!ended_)
    ended_ = why;
}

void job_savepoints::take_final() {
  is_final_open_ = true;
  checkpoints_.take_savepoint(
      checkpoint_kind::final_savepoint, stop_directory_,
      [this](result<checkpoint_record> done) { on_final_taken(std::move(done)); });
}

void job_savepoints::on_final_taken(result<checkpoint_record> done) {
  is_final_open_ = false;
  if (done) {
    const auto superseded = stop_.on_saved(done->location);
    final_ = *std::move(done);
    if (!superseded.empty()) checkpoints_.remove_superseded(superseded);
  } else if (!ended_) {
    carry_out(stop_.on_not_saved(done.error()));
  }
  if (const auto why = std::exchange(ended_, std::nullopt)) carry_out(stop_.on_ended(*why));
}

void job_savepoints::answer(const result<std::string>& outcome, bool forgets) {
  auto promises = std::exchange(stoppers_, {});
  auto last = std::exchange(final_, std::nullopt);
  if (outcome) {
    for (auto& promise : promises) promise.deliver(wire::checkpoint_taken{*last});
    return;
  }
  auto tell = [promises, why = outcome.error()]() mutable {
    for (auto& promise : promises) promise.deliver(to_caf(why));
  };
  // Who is told that the job goes on can rely on it, whatever happens to this master.
  if (forgets)
    checkpoints_.forget_stop(std::move(tell));
  else
    tell();
}

void job_savepoints::carry_out(const stop_decision& decision) {
  if (decision.answer) answer(*decision.answer, decision.forget);
  if (decision.drain_sources) hooks_.drain_sources();
  if (decision.take_savepoint) take_final();
  if (decision.restart_all) {
    hooks_.restart_all(decision.answer->error());
  } else if (decision.resume) {
    checkpoints_.resume();
    hooks_.on_resumed();
  }
}

}  // namespace millrace
