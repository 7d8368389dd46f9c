#include "millrace/checkpoint/checkpoint_coordinator.hpp"

#include <algorithm>
#include <utility>

#include "millrace/checkpoint/subtask_endings.hpp"
#include "millrace/core/assert.hpp"
#include "millrace/core/human_units.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

checkpoint_coordinator::checkpoint_coordinator(checkpoint_settings settings, graph::job_graph job,
                                               job_id id)
    : settings_(std::move(settings)),
      job_(std::move(job)),
      id_(id),
      decider_(settings_),
      failures_(settings_.tolerable_failures),
      kept_(settings_.retained) {}

void checkpoint_coordinator::restore(checkpoint_id from, bool is_ours,
                                     std::vector<graph::subtask_ref> finished) {
  MILLRACE_ASSERT(!latest(), "a job starts from a snapshot if it has none of its own");
  last_number_ = std::max(last_number_, from.number);
  finished_ = std::move(finished);
  if (is_ours)
    kept_.add(from);
  else
    not_ours_ = from;
}

std::vector<checkpoint_id> checkpoint_coordinator::recover(
    const std::vector<checkpoint_id>& completed, checkpoint_id not_ours,
    std::uint64_t last_number) {
  MILLRACE_ASSERT(last_number_ == 0, "a coordinator is restored first of all");
  last_number_ = std::max(last_number, not_ours.number);
  not_ours_ = not_ours;
  std::vector<checkpoint_id> removed;
  for (const auto& id : completed) {
    const auto superseded = kept_.add(id);
    removed.insert(removed.end(), superseded.begin(), superseded.end());
    last_number_ = std::max(last_number_, id.number);
  }
  return removed;
}

checkpoint_id checkpoint_coordinator::earlier() const noexcept {
  const auto& all = kept_.all();
  const std::size_t later = not_ours_ > kept_.latest() ? 0 : 1;  // that are ours
  return all.size() > later ? all[all.size() - 1 - later] : checkpoint_id{};
}

bool checkpoint_coordinator::has_committers() const noexcept {
  for (const auto& vertex : job_.vertices)
    for (const auto& op : vertex.operators)
      if (op.commits) return true;
  return false;
}

void checkpoint_coordinator::give_up_latest() {
  MILLRACE_ASSERT(earlier() && !is_storing(), "there is another checkpoint to go back to");
  if (not_ours_ < kept_.latest()) kept_.remove_latest();
  not_ours_ = {};  // an older one has been forgotten everywhere
}

// -- what was observed ----------------------------------------------------------------------------

checkpoint_decision checkpoint_coordinator::on_running(std::int64_t now_ms, std::uint64_t wall_ms) {
  checkpoint_decision decision;
  decider_.start(now_ms);
  begin_what_is_due(now_ms, wall_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_not_running(checkpoint_failure why,
                                                           std::int64_t now_ms) {
  checkpoint_decision decision;
  decider_.stop();
  is_held_ = false;
  std::vector<checkpoint_id> given_up;
  for (const auto& [id, p] : pending_)
    if (p.now_in() != pending_checkpoint::phase::storing) given_up.push_back(id);
  for (const auto& id : given_up) abort(id, why, {}, now_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_task_finished(const execution_attempt_id& task,
                                                             std::int64_t now_ms,
                                                             std::uint64_t wall_ms) {
  checkpoint_decision decision;
  std::vector<checkpoint_id> hopeless;
  for (const auto& [id, p] : pending_)
    if (p.waits_for(task)) hopeless.push_back(id);
  for (const auto& id : hopeless)
    abort(id, checkpoint_failure::task_finished, {}, now_ms, decision);
  begin_what_is_due(now_ms, wall_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_request(std::int64_t now_ms, std::uint64_t wall_ms) {
  checkpoint_decision decision;
  decider_.request();
  begin_what_is_due(now_ms, wall_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_savepoint_request(checkpoint_kind kind,
                                                                 std::int64_t now_ms,
                                                                 std::uint64_t wall_ms) {
  checkpoint_decision decision;
  if (is_running()) decision.begin = begin(kind, now_ms, wall_ms);
  return decision;
}

checkpoint_decision checkpoint_coordinator::hold(std::int64_t now_ms) {
  checkpoint_decision decision;
  is_held_ = true;
  std::vector<checkpoint_id> given_up;
  for (const auto& [id, p] : pending_)
    if (p.now_in() != pending_checkpoint::phase::storing &&
        p.cut().kind == checkpoint_kind::checkpoint)
      given_up.push_back(id);
  for (const auto& id : given_up) abort(id, checkpoint_failure::stopped, {}, now_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::resume(std::int64_t now_ms, std::uint64_t wall_ms) {
  checkpoint_decision decision;
  is_held_ = false;
  begin_what_is_due(now_ms, wall_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_time(std::int64_t now_ms, std::uint64_t wall_ms) {
  checkpoint_decision decision;
  std::vector<checkpoint_id> expired;
  // What is being stored is not stopped: whether it is there would not be known.
  for (const auto& [id, p] : pending_)
    if (p.now_in() != pending_checkpoint::phase::storing &&
        now_ms - p.begun_ms() >= settings_.timeout_ms)
      expired.push_back(id);
  for (const auto& id : expired)
    abort(id, checkpoint_failure::expired,
          "not complete after " + format_duration(std::chrono::milliseconds(settings_.timeout_ms)) +
              ", waiting for " + what_it_waits_for(pending_.at(id)),
          now_ms, decision);
  begin_what_is_due(now_ms, wall_ms, decision);
  return decision;
}

void checkpoint_coordinator::on_begun(checkpoint_id checkpoint, checkpoint_plan plan,
                                      std::map<std::string, std::vector<std::byte>> coordinators) {
  const auto found = pending_.find(checkpoint);
  if (found != pending_.end()) found->second.gather(std::move(plan), std::move(coordinators));
}

checkpoint_decision checkpoint_coordinator::on_not_begun(checkpoint_id checkpoint,
                                                         checkpoint_failure why,
                                                         const std::string& message,
                                                         std::int64_t now_ms) {
  checkpoint_decision decision;
  abort(checkpoint, why, message, now_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_acknowledged(checkpoint_acknowledgement ack,
                                                            std::int64_t now_ms) {
  checkpoint_decision decision;
  auto found = pending_.find(ack.checkpoint);
  if (MILLRACE_MUTANT(stale_acknowledgement_counts) && found == pending_.end() && !pending_.empty())
    found = pending_.begin();
  if (found == pending_.end()) return decision;
  const auto checkpoint = found->first;
  if (found->second.acknowledge(std::move(ack), now_ms) == pending_checkpoint::answer::complete)
    decision.store.push_back(checkpoint);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_declined(const execution_attempt_id& task,
                                                        checkpoint_id checkpoint,
                                                        const std::string& message,
                                                        std::int64_t now_ms) {
  checkpoint_decision decision;
  const auto found = pending_.find(checkpoint);
  if (found == pending_.end() || !found->second.waits_for(task)) return decision;
  abort(checkpoint, checkpoint_failure::declined, name_of(task) + ": " + message, now_ms, decision);
  return decision;
}

checkpoint_decision checkpoint_coordinator::on_stored(checkpoint_id checkpoint, const status& how,
                                                      std::int64_t now_ms, std::uint64_t wall_ms) {
  checkpoint_decision decision;
  const auto found = pending_.find(checkpoint);
  if (found == pending_.end()) return decision;
  if (!how) {
    abort(checkpoint, checkpoint_failure::storage, how.error().message, now_ms, decision);
    begin_what_is_due(now_ms, wall_ms, decision);
    return decision;
  }
  auto record = found->second.record(now_ms);
  record.status = checkpoint_status::completed;
  const auto kind = found->second.cut().kind;
  if (kind == checkpoint_kind::savepoint) {
    decision.saved = checkpoint;
    history_.add(std::move(record), found->second.subtasks());
    pending_.erase(found);
    begin_what_is_due(now_ms, wall_ms, decision);
    return decision;
  }
  decision.completed = checkpoint;
  decision.completed_at = found->second.tasks();
  if (checkpoint > latest()) {
    finished_ = found->second.finished();
    if (!finished_.empty()) {
      const auto metadata = metadata_of(checkpoint);
      subtask_endings endings(metadata, job_);
      std::erase_if(finished_,
                    [&](const auto& each) { return endings.of(each) == subtask_ending::none; });
    }
  }
  auto subtasks = found->second.subtasks();
  pending_.erase(found);
  if (kind == checkpoint_kind::checkpoint) {
    failures_.on_success();
    decider_.on_ended(now_ms);
    decision.discard = kept_.add(checkpoint);
  } else {
    not_ours_ = checkpoint;
  }
  std::vector<checkpoint_id> subsumed;
  for (const auto& [id, p] : pending_)
    if (id < checkpoint && p.cut().kind == checkpoint_kind::checkpoint) subsumed.push_back(id);
  if (MILLRACE_MUTANT(subsumed_goes_on)) subsumed.clear();
  for (const auto& id : subsumed) abort(id, checkpoint_failure::subsumed, {}, now_ms, decision);
  // Behind them: there may be more than the history remembers.
  history_.add(std::move(record), std::move(subtasks));
  begin_what_is_due(now_ms, wall_ms, decision);
  return decision;
}

// -- what follows ---------------------------------------------------------------------------------

void checkpoint_coordinator::begin_what_is_due(std::int64_t now_ms, std::uint64_t wall_ms,
                                               checkpoint_decision& decision) {
  if (is_held_ || !decider_.begin(now_ms, pending_.size())) return;
  decision.begin = begin(checkpoint_kind::checkpoint, now_ms, wall_ms);
}

checkpoint_id checkpoint_coordinator::begin(checkpoint_kind kind, std::int64_t now_ms,
                                            std::uint64_t wall_ms) {
  const checkpoint_id id{++last_number_};
  // A savepoint is for jobs of another shape, too, which could not take what was on its way.
  const auto alignment =
      kind != checkpoint_kind::checkpoint && settings_.alignment != barrier_alignment::at_least_once
          ? barrier_alignment::exactly_once
          : settings_.alignment;
  barrier cut{id, kind, alignment};
  if (settings_.is_incremental && kind == checkpoint_kind::checkpoint) cut.base = latest();
  pending_.emplace(id, pending_checkpoint(cut, now_ms, wall_ms));
  return id;
}

void checkpoint_coordinator::abort(checkpoint_id checkpoint, checkpoint_failure why,
                                   const std::string& message, std::int64_t now_ms,
                                   checkpoint_decision& decision) {
  const auto found = pending_.find(checkpoint);
  if (found == pending_.end()) return;
  auto record = found->second.record(now_ms);
  record.status = checkpoint_status::failed;
  record.failure = std::string(to_string(why)) + (message.empty() ? "" : ": " + message);
  decision.aborted.push_back({checkpoint, why, record.failure, found->second.tasks(),
                              found->second.now_in() == pending_checkpoint::phase::storing});
  const bool counts = found->second.cut().kind == checkpoint_kind::checkpoint;
  if (counts && failures_.on_failure(why))
    decision.fail_job = error{
        errc::io, "checkpoint " + std::to_string(checkpoint.number) + " failed (" + record.failure +
                      "), and no more than " + std::to_string(settings_.tolerable_failures) +
                      " in a row may (execution.checkpointing.tolerable-failed-checkpoints)"};
  history_.add(std::move(record), found->second.subtasks());
  pending_.erase(found);
  if (counts) decider_.on_ended(now_ms);
}

std::string checkpoint_coordinator::name_of(const execution_attempt_id& task) const {
  const auto& vertex = job_.vertices.at(task.vertex);
  return "'" + vertex.name + "' (subtask " + std::to_string(task.subtask + 1) + "/" +
         std::to_string(vertex.parallelism) + ")";
}

std::string checkpoint_coordinator::what_it_waits_for(const pending_checkpoint& checkpoint) const {
  if (checkpoint.now_in() == pending_checkpoint::phase::beginning) return "the storage";
  constexpr std::size_t named_max = 3;
  const auto& awaited = checkpoint.awaited();
  std::string all;
  std::size_t named = 0;
  for (const auto& task : awaited) {
    if (named == named_max) break;
    all += (named++ == 0 ? "" : ", ") + name_of(task);
  }
  if (awaited.size() > named) all += " and " + std::to_string(awaited.size() - named) + " more";
  return all;
}

// -- looking --------------------------------------------------------------------------------------

const pending_checkpoint* checkpoint_coordinator::pending(checkpoint_id checkpoint) const {
  const auto found = pending_.find(checkpoint);
  return found == pending_.end() ? nullptr : &found->second;
}

bool checkpoint_coordinator::had_finished(const graph::subtask_ref& subtask) const {
  return std::find(finished_.begin(), finished_.end(), subtask) != finished_.end();
}

bool checkpoint_coordinator::is_storing() const {
  return std::any_of(pending_.begin(), pending_.end(), [](const auto& entry) {
    return entry.second.now_in() == pending_checkpoint::phase::storing;
  });
}

checkpoint_metadata checkpoint_coordinator::metadata_of(checkpoint_id checkpoint) const {
  return pending_.at(checkpoint).metadata(job_, id_);
}

std::optional<std::int64_t> checkpoint_coordinator::next_ms() const {
  auto next = is_held_ ? std::nullopt : decider_.next_ms(pending_.size());
  for (const auto& [id, p] : pending_)
    if (p.now_in() != pending_checkpoint::phase::storing) {
      const auto expires = p.begun_ms() + settings_.timeout_ms;
      next = next ? std::min(*next, expires) : expires;
    }
  return next;
}

std::vector<checkpoint_record> checkpoint_coordinator::records(std::int64_t now_ms) const {
  std::vector<checkpoint_record> all(history_.ended().begin(), history_.ended().end());
  for (const auto& [id, p] : pending_) all.push_back(p.record(now_ms));
  return all;
}

std::optional<std::vector<subtask_checkpoint>> checkpoint_coordinator::subtasks_of(
    checkpoint_id checkpoint) const {
  if (const auto* under_way = pending(checkpoint)) return under_way->subtasks();
  const auto& ended = history_.ended();
  if (std::none_of(ended.begin(), ended.end(),
                   [&](const auto& record) { return record.checkpoint == checkpoint; }))
    return std::nullopt;
  return history_.subtasks_of(checkpoint);
}

}  // namespace millrace
