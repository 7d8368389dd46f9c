#include "millrace/checkpoint/job_store.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "millrace/core/hex.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/job_graph_json.hpp"
#include "millrace/graph/json_cursor.hpp"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;
using graph::json_cursor;
using graph::json_problem;

/// Of the process that has taken over last.
constexpr const char* term_name = "master/term";

std::string graph_name(const job_id& job) {
  return "graphs/" + to_string(job);
}
std::string ledger_name(const job_id& job) {
  return "ledgers/" + to_string(job);
}
std::string result_name(const job_id& job) {
  return "results/" + to_string(job);
}

/// By snapshot_owner.
constexpr std::array<const char*, 4> owner_names{"job", "claimed", "user", "nobody"};

std::string text_of_term(std::uint64_t term) {
  return json{{"term", std::to_string(term)}}.dump();
}

tl::unexpected<error> replaced() {
  return fail(errc::stale, "another job manager has taken over the jobs of this cluster");
}

tl::unexpected<error> malformed(const std::string& name, const std::string& why) {
  return fail(errc::invalid_data, "document '" + name + "': " + why);
}

std::string text_of_ledger(const job_ledger& ledger) {
  json checkpoints = json::array();
  for (const auto& pointer : ledger.checkpoints) {
    checkpoints.push_back({{"checkpoint", pointer.checkpoint.number},
                           {"location", pointer.location},
                           {"owner", owner_names[static_cast<std::size_t>(pointer.owner)]}});
    if (const auto& stop = pointer.stop)
      checkpoints.back()["stop"] = {{"directory", stop->directory}, {"drained", stop->is_drained}};
  }
  json savepoints = json::array();
  for (const auto& begun : ledger.savepoints) {
    savepoints.push_back({{"checkpoint", begun.checkpoint.number}, {"location", begun.location}});
    if (begun.is_withdrawn) savepoints.back()["withdrawn"] = true;
  }
  return json{{"epoch", ledger.epoch},
              {"last_checkpoint", ledger.last_checkpoint},
              {"checkpoints", std::move(checkpoints)},
              {"savepoints", std::move(savepoints)}}
      .dump();
}

result<job_ledger> ledger_in(const std::string& text, const std::string& name) {
  const json root = json::parse(text, nullptr, false);
  json_problem problem;
  const json_cursor at(root, problem);
  at.expect_fields({"epoch", "last_checkpoint", "checkpoints", "savepoints"});
  job_ledger ledger;
  ledger.epoch = at.field("epoch").number64();
  ledger.last_checkpoint = at.field("last_checkpoint").number64();
  at.field("checkpoints").items([&](const json_cursor& item) {
    item.expect_fields({"checkpoint", "location", "owner"}, {"stop"});
    const auto owner =
        std::find(owner_names.begin(), owner_names.end(), item.field("owner").text());
    if (owner == owner_names.end())
      return item.field("owner").complain("must be 'job', 'claimed', 'user' or 'nobody'");
    ledger.checkpoints.push_back({checkpoint_id{item.field("checkpoint").number64()},
                                  item.field("location").text(),
                                  static_cast<snapshot_owner>(owner - owner_names.begin())});
    if (!item.has("stop")) return;
    const auto stop = item.field("stop");
    stop.expect_fields({"directory", "drained"});
    ledger.checkpoints.back().stop =
        job_stop{stop.field("directory").text(), stop.field("drained").boolean()};
  });
  at.field("savepoints").items([&](const json_cursor& item) {
    item.expect_fields({"checkpoint", "location"}, {"withdrawn"});
    ledger.savepoints.push_back({checkpoint_id{item.field("checkpoint").number64()},
                                 item.field("location").text(),
                                 item.has("withdrawn") && item.field("withdrawn").boolean()});
  });
  if (problem) return malformed(name, *problem);
  return ledger;
}

/// Whether it was there.
bool forget_savepoint(job_ledger& ledger, checkpoint_id which) {
  return std::erase_if(ledger.savepoints,
                       [&](const auto& begun) { return begun.checkpoint == which; }) != 0;
}

/// Undoes what job_store::checkpoint_completed may have written of it.
void take_back(job_ledger& ledger, checkpoint_id which,
               const std::optional<checkpoint_pointer>& before) {
  auto& all = ledger.checkpoints;
  const auto noted =
      std::erase_if(all, [&](const auto& pointer) { return pointer.checkpoint == which; });
  // To note the one has taken this one's place away.
  if (noted != 0 && before && (all.empty() || all.back().checkpoint < before->checkpoint))
    all.push_back(*before);
}

std::string text_of_job(const stored_job& job) {
  return json{{"job", to_string(job.job)},
              {"submitted_ms", job.submitted_wall_ms},
              {"graph", json::parse(graph::to_json(job.graph))}}
      .dump();
}

result<stored_job> job_in(const std::string& text, const std::string& name) {
  const json root = json::parse(text, nullptr, false);
  json_problem problem;
  const json_cursor at(root, problem);
  at.expect_fields({"job", "submitted_ms", "graph"});
  stored_job job;
  if (const auto id = parse_id<job_id>(at.field("job").text()))
    job.job = *id;
  else
    at.field("job").complain("must be the id of a job");
  job.submitted_wall_ms = at.field("submitted_ms").number64();
  if (problem) return malformed(name, *problem);
  auto graph = graph::job_graph_from_json(root["graph"].dump());
  if (!graph) return malformed(name, graph.error().message);
  job.graph = std::move(*graph);
  return job;
}

result<std::vector<std::byte>> outcome_in(const std::string& text, const std::string& name) {
  const json root = json::parse(text, nullptr, false);
  json_problem problem;
  const json_cursor at(root, problem);
  at.expect_fields({"outcome"});
  auto bytes = parse_hex(at.field("outcome").text());
  if (!bytes) at.field("outcome").complain("must be hex digits");
  if (problem) return malformed(name, *problem);
  return *std::move(bytes);
}

}  // namespace

job_store::job_store(std::shared_ptr<document_store> documents, std::uint64_t term)
    : documents_(std::move(documents)), term_(term) {}

// -- the one master -------------------------------------------------------------------------------

status job_store::take_over() {
  if (term_ == 0) return {};
  if (has_taken_over_) return check_term();
  auto done = write_term();
  if (done) has_taken_over_ = true;
  return done;
}

status job_store::look_for_successor() {
  if (!has_taken_over_) return {};
  const auto text = documents_->get(term_name);
  return text && *text != text_of_term(term_) ? replaced() : status();
}

status job_store::write_term() {
  return documents_->put(term_name, text_of_term(term_));
}

status job_store::check_term() {
  if (!has_taken_over_) return {};
  const auto text = documents_->get(term_name);
  // One that is damaged, or was removed, is nobody's: who still works may have it again.
  if (!text && (text.error().code == errc::invalid_data || text.error().code == errc::not_found))
    return write_term();
  if (!text) return tl::unexpected(text.error());
  return *text == text_of_term(term_) ? status() : replaced();
}

// -- entries --------------------------------------------------------------------------------------

std::shared_ptr<job_store::entry> job_store::entry_of(const job_id& job) {
  std::lock_guard guard(mutex_);
  auto& found = entries_[job];
  if (!found) found = std::make_shared<entry>();
  return found;
}

// -- jobs -----------------------------------------------------------------------------------------

status job_store::add(const stored_job& job) {
  return documents_->put(graph_name(job.job), text_of_job(job)).map([] {
    pass(kill_point::job_accepted);
  });
}

result<std::vector<stored_job>> job_store::jobs(bool* is_whole) {
  if (is_whole != nullptr) *is_whole = true;
  const auto names = documents_->list("graphs");
  if (!names) return tl::unexpected(names.error());
  std::vector<stored_job> all;
  for (const auto& name : *names) {
    const auto whole = "graphs/" + name;
    auto job = documents_->get(whole).and_then(
        [&](const std::string& text) { return job_in(text, whole); });
    if (job)
      all.push_back(std::move(*job));
    else if (job.error().code == errc::invalid_data) {
      log_event(log_level::error, "a job can't be recovered", {{"reason", job.error().message}});
      if (is_whole != nullptr) *is_whole = false;
    } else if (job.error().code != errc::not_found)
      return tl::unexpected(job.error());
  }
  return all;
}

status job_store::forget(const job_id& job) {
  const auto its = entry_of(job);
  std::lock_guard guard(its->mutex);
  // First what makes it a job that is to be run.
  auto done = documents_->remove(graph_name(job))
                  .map([] { pass(kill_point::graph_removed); })
                  .and_then([&] { return documents_->remove(ledger_name(job)); });
  if (!done) return done;
  std::lock_guard all(mutex_);
  entries_.erase(job);
  return {};
}

// -- ledgers --------------------------------------------------------------------------------------

result<job_ledger> job_store::read_ledger(const job_id& job) {
  return documents_->get(ledger_name(job)).and_then([&](const std::string& text) {
    return ledger_in(text, ledger_name(job));
  });
}

status job_store::write_ledger(const job_id& job, const job_ledger& ledger) {
  return documents_->put(ledger_name(job), text_of_ledger(ledger));
}

result<job_ledger> job_store::ledger_of(const job_id& job) {
  const auto its = entry_of(job);
  std::lock_guard guard(its->mutex);
  return read_ledger(job);
}

result<job_ledger> job_store::begin_epoch(const job_id& job) {
  const auto its = entry_of(job);
  std::lock_guard guard(its->mutex);
  if (const auto ours = check_term(); !ours) return tl::unexpected(ours.error());
  // A master that has just died may have brought the job to its end.
  if (const auto outcome = documents_->get(result_name(job)); outcome)
    return fail(errc::cancelled, "job " + to_string(job) + " has ended");
  else if (outcome.error().code != errc::not_found)
    return tl::unexpected(outcome.error());
  auto ledger = read_ledger(job);
  if (!ledger && ledger.error().code != errc::not_found) return ledger;
  auto next = ledger ? std::move(*ledger) : job_ledger();
  // To go on from there would be to emit again what has been committed since.
  if (++next.epoch <= its->last_epoch)
    return malformed(ledger_name(job), "it is of epoch " + std::to_string(next.epoch - 1) +
                                           ", though " + std::to_string(its->last_epoch) +
                                           " has begun: something else has written or removed it");
  if (auto written = write_ledger(job, next); !written) return tl::unexpected(written.error());
  its->last_epoch = next.epoch;
  pass(kill_point::epoch_begun);
  return next;
}

/// The ledger, if it is still of that epoch. Whoever names one has had a ledger.
result<job_ledger> job_store::ledger_in_epoch(const job_id& job, std::uint64_t epoch) {
  auto ledger = read_ledger(job);
  if (!ledger && ledger.error().code == errc::not_found)
    return fail(errc::stale,
                "job " + to_string(job) + " has been brought to its end by another master");
  if (ledger && ledger->epoch != epoch && !MILLRACE_MUTANT(epoch_ignored))
    return fail(errc::stale, "job " + to_string(job) + " has another master: epoch " +
                                 std::to_string(ledger->epoch) + ", not " + std::to_string(epoch));
  return ledger;
}

template <class Change>
status job_store::update(const job_id& job, std::uint64_t epoch, Change&& change) {
  const auto its = entry_of(job);
  std::lock_guard guard(its->mutex);
  auto ledger = ledger_in_epoch(job, epoch);
  if (!ledger) return tl::unexpected(ledger.error());
  if (!change(*ledger)) return {};
  return write_ledger(job, *ledger);
}

status job_store::check_epoch(const job_id& job, std::uint64_t epoch) {
  return update(job, epoch, [](const job_ledger&) { return false; });
}

status job_store::checkpoint_begun(const job_id& job, std::uint64_t epoch,
                                   checkpoint_id checkpoint) {
  return update(job, epoch, [&](job_ledger& ledger) {
    if (checkpoint.number <= ledger.last_checkpoint) return false;
    ledger.last_checkpoint = checkpoint.number;
    return true;
  });
}

status job_store::savepoint_begun(const job_id& job, std::uint64_t epoch,
                                  const begun_savepoint& savepoint) {
  return update(job, epoch, [&](job_ledger& ledger) {
    ledger.last_checkpoint = std::max(ledger.last_checkpoint, savepoint.checkpoint.number);
    ledger.savepoints.push_back(savepoint);
    return true;
  });
}

status job_store::savepoint_completed(const job_id& job, std::uint64_t epoch,
                                      checkpoint_id savepoint) {
  return update(job, epoch,
                [&](job_ledger& ledger) { return forget_savepoint(ledger, savepoint); });
}

status job_store::checkpoint_withdrawn(const job_id& job, std::uint64_t epoch,
                                       checkpoint_id checkpoint,
                                       const std::optional<checkpoint_pointer>& before) {
  return update(job, epoch, [&](job_ledger& ledger) {
    take_back(ledger, checkpoint, before);
    return true;
  });
}

status job_store::savepoint_withdrawn(const job_id& job, std::uint64_t epoch,
                                      const begun_savepoint& savepoint,
                                      const std::optional<checkpoint_pointer>& before) {
  return update(job, epoch, [&](job_ledger& ledger) {
    take_back(ledger, savepoint.checkpoint, before);
    forget_savepoint(ledger, savepoint.checkpoint);
    ledger.savepoints.push_back(savepoint);
    ledger.savepoints.back().is_withdrawn = true;
    return true;
  });
}

status job_store::checkpoint_completed(const job_id& job, std::uint64_t epoch,
                                       const checkpoint_pointer& pointer) {
  return update(job, epoch, [&](job_ledger& ledger) {
    auto& all = ledger.checkpoints;
    if (!all.empty() && all.back().checkpoint >= pointer.checkpoint) return false;
    // Nobody goes back to a user's any more.
    std::erase_if(all, [](const auto& earlier) { return earlier.owner == snapshot_owner::user; });
    all.push_back(pointer);
    forget_savepoint(ledger, pointer.checkpoint);
    return true;
  });
}

status job_store::snapshot_left(const job_id& job, std::uint64_t epoch,
                                checkpoint_pointer snapshot) {
  snapshot.owner = snapshot_owner::nobody;
  return update(job, epoch, [&](job_ledger& ledger) {
    auto& all = ledger.checkpoints;
    if (std::find(all.begin(), all.end(), snapshot) != all.end()) return false;
    std::erase_if(all,
                  [&](const auto& pointer) { return pointer.checkpoint == snapshot.checkpoint; });
    const auto later = std::find_if(all.begin(), all.end(), [&](const auto& pointer) {
      return pointer.checkpoint > snapshot.checkpoint;
    });
    all.insert(later, std::move(snapshot));
    return true;
  });
}

status job_store::checkpoint_dropped(const job_id& job, std::uint64_t epoch,
                                     checkpoint_id checkpoint) {
  return update(job, epoch, [&](job_ledger& ledger) {
    const bool was_begun = forget_savepoint(ledger, checkpoint);
    return std::erase_if(ledger.checkpoints,
                         [&](const auto& pointer) { return pointer.checkpoint == checkpoint; }) !=
               0 ||
           was_begun;
  });
}

status job_store::stop_given_up(const job_id& job, std::uint64_t epoch) {
  return update(job, epoch, [&](job_ledger& ledger) {
    for (auto& pointer : ledger.checkpoints) pointer.stop.reset();
    return true;
  });
}

// -- results --------------------------------------------------------------------------------------

status job_store::put_result(const job_id& job, std::uint64_t epoch,
                             std::span<const std::byte> outcome) {
  const auto its = entry_of(job);
  std::lock_guard guard(its->mutex);
  if (const auto ledger = ledger_in_epoch(job, epoch); !ledger)
    return tl::unexpected(ledger.error());
  return documents_->put(result_name(job), json{{"outcome", to_hex(outcome)}}.dump()).map([] {
    pass(kill_point::result_stored);
  });
}

result<std::vector<std::byte>> job_store::result_of(const job_id& job) {
  return documents_->get(result_name(job)).and_then([&](const std::string& text) {
    return outcome_in(text, result_name(job));
  });
}

result<std::vector<std::pair<job_id, std::vector<std::byte>>>> job_store::results() {
  const auto names = documents_->list("results");
  if (!names) return tl::unexpected(names.error());
  std::vector<std::pair<job_id, std::vector<std::byte>>> all;
  for (const auto& name : *names) {
    const auto whole = "results/" + name;
    const auto job = parse_id<job_id>(name);
    auto outcome = documents_->get(whole).and_then(
        [&](const std::string& text) { return outcome_in(text, whole); });
    if (!outcome && outcome.error().code != errc::invalid_data)
      return tl::unexpected(outcome.error());
    if (job && outcome)
      all.emplace_back(*job, std::move(*outcome));
    else
      log_event(log_level::warn, "the result of a job can't be read",
                {{"reason", outcome ? "'" + whole + "' names no job" : outcome.error().message}});
  }
  return all;
}

status job_store::remove_result(const job_id& job) {
  if (const auto graph = documents_->get(graph_name(job));
      graph || graph.error().code != errc::not_found)
    return {};
  return documents_->remove(result_name(job));
}

}  // namespace millrace
