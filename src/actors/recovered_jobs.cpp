#include "millrace/actors/recovered_jobs.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/savepoint_directory.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/core/logging.hpp"

namespace millrace {

namespace {

void warn_of_left(const job_id& job, const error& why) {
  log_event(log_level::warn, "cannot clean up behind a job that has ended",
            {{"job", to_string(job)}, {"reason", why.message}});
}

/// As job_checkpoints::end would have done it, and all that can be done. What the storage refuses
/// is left to the next master, what is damaged to the user.
status clean_up(job_store& store, const std::shared_ptr<file_system>& files, const stored_job& job,
                graph::job_status how, const configuration& node) {
  const auto settings = configuration_of(job.graph, node).and_then(checkpoint_settings_of);
  if (settings && job.graph.mode == graph::runtime_mode::streaming) {
    std::vector<checkpoint_id> keep;
    status all;
    const auto note = [&](const status& done) {
      if (!done && (all || is_damage(all.error().code))) all = done;
    };
    const auto ledger = store.ledger_of(job.job);
    if (!ledger) return tl::unexpected(ledger.error());
    for (const auto& pointer : ledger->checkpoints) {
      const bool is_kept =
          settings->keeps_checkpoints(how) && pointer.owner != snapshot_owner::nobody;
      if (is_kept && pointer.owner == snapshot_owner::job) keep.push_back(pointer.checkpoint);
      if (is_kept) continue;
      if (pointer.owner == snapshot_owner::claimed || pointer.owner == snapshot_owner::nobody)
        note(remove_snapshot(*files, pointer.location));
    }
    for (const auto& begun : ledger->savepoints)
      note(remove_unfinished_savepoint(*files, begun.location, begun.is_withdrawn));
    file_checkpoint_storage storage(files, settings->directory_of(job.job),
                                    settings->memory_threshold_bytes);
    if (settings->is_enabled()) note(storage.clean_up(keep));
    if (!all && !is_damage(all.error().code)) return all;
    if (!all) warn_of_left(job.job, all.error());
  }
  return store.forget(job.job);
}

/// What is left over is in nobody's way.
void finish(job_store& store, const std::shared_ptr<file_system>& files, const stored_job& job,
            graph::job_status how, const configuration& node) {
  if (const auto cleaned = clean_up(store, files, job, how, node); !cleaned)
    warn_of_left(job.job, cleaned.error());
}

}  // namespace

result<job_outcome_record> conclude_job(job_store& store, const std::shared_ptr<file_system>& files,
                                        const stored_job& job, const configuration& config) {
  return store.result_of(job.job)
      .and_then([](const std::vector<std::byte>& bytes) { return decode_outcome(bytes); })
      .map([&](job_outcome_record outcome) {
        finish(store, files, job, outcome.result.status, config);
        return outcome;
      });
}

result<configuration> configuration_of(const graph::job_graph& graph, const configuration& node) {
  auto config = node;
  for (const auto& [key, value] : graph.configuration)
    if (auto set = config.set(key, value, "job '" + graph.name + "'"); !set)
      return tl::unexpected(set.error());
  return config;
}

result<recovered_jobs> recover_jobs(job_store& store, const std::shared_ptr<file_system>& files,
                                    const configuration& config) {
  recovered_jobs recovered;
  const auto results = store.results();
  if (!results) return tl::unexpected(results.error());
  std::map<job_id, graph::job_status> ended;
  for (const auto& [job, bytes] : *results) {
    auto outcome = decode_outcome(bytes);
    if (!outcome) {
      log_event(log_level::warn, "the result of a job can't be read",
                {{"job", to_string(job)}, {"reason", outcome.error().message}});
      ended[job] = graph::job_status::failed;  // it is over, and its checkpoints may be wanted
      continue;
    }
    ended[job] = outcome->result.status;
    recovered.ended.push_back(std::move(*outcome));
  }
  std::stable_sort(recovered.ended.begin(), recovered.ended.end(),
                   [](const auto& a, const auto& b) {
                     return a.details.overview.start_wall_ms < b.details.overview.start_wall_ms;
                   });
  auto jobs = store.jobs(&recovered.is_whole);
  if (!jobs) return tl::unexpected(jobs.error());
  for (auto& job : *jobs) {
    const auto over = ended.find(job.job);
    if (over == ended.end()) {
      recovered.running.push_back(std::move(job));
      continue;
    }
    finish(store, files, job, over->second, config);
  }
  return recovered;
}

}  // namespace millrace
