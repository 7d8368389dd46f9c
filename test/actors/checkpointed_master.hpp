#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "master_fixture.hpp"

namespace millrace::test {

/// A master with jobs that take checkpoints.
struct checkpointed_master : master_fixture {
  using master_fixture::master_fixture;

  job_id start(const std::map<std::string, std::string>& settings = {},
               graph::job_graph graph = job_of(word_count(), 2)) {
    std::map<std::string, std::string> all{{"execution.checkpointing.interval", "10 s"},
                                           {"state.checkpoints.dir", directory.path("checkpoints")},
                                           {"restart-strategy.type", "fixed-delay"},
                                           {"restart-strategy.fixed-delay.attempts", "1"}};
    for (const auto& [key, value] : settings) all[key] = value;
    graph.configuration.assign(all.begin(), all.end());
    const auto job = ask<wire::job_submitted>(wire::submit_job{std::move(graph)}).value().job;
    for (auto& tm : task_managers) hold_allocations(*tm);
    return job;
  }

  /// To a request for a checkpoint, a savepoint or a stop.
  template <class Asked>
  static result<checkpoint_record> answer_of(Asked& asked) {
    result<checkpoint_record> answer = fail(errc::internal, "no answer");
    asked.receive([&](wire::checkpoint_taken& t) { answer = std::move(t.checkpoint); },
                  [&](const caf::error& e) { answer = tl::unexpected(from_caf(e)); });
    return answer;
  }

  /// The tasks that were deployed last.
  static std::vector<execution_attempt_id> tasks_of(const fake_task_manager& tm) {
    std::vector<execution_attempt_id> tasks;
    for (const auto& t : tm.deployments.back().tasks) tasks.push_back(t.task);
    return tasks;
  }
  void tell(const fake_task_manager& tm, const execution_attempt_id& task,
            graph::execution_state state, std::optional<error> cause = {}) {
    wire::task_state_changed change;
    change.task = change.report.task = task;
    change.state = state;
    change.cause = std::move(cause);
    report(tm, std::move(change));
  }
  void tell_all(const fake_task_manager& tm, graph::execution_state state) {
    for (const auto& task : tasks_of(tm)) tell(tm, task, state);
  }
  void acknowledge(const fake_task_manager& tm, const execution_attempt_id& task,
                   std::uint64_t checkpoint) {
    wire::acknowledge_checkpoint ack;
    ack.what.task = task;
    ack.what.checkpoint = {checkpoint};
    ack.what.state.bytes = 7;
    report(tm, std::move(ack));
  }
  void acknowledge_all(const fake_task_manager& tm, std::uint64_t checkpoint) {
    for (const auto& task : tasks_of(tm)) acknowledge(tm, task, checkpoint);
  }
  wire::checkpoint_list checkpoints(const job_id& job) {
    return ask<wire::checkpoint_list>(wire::list_checkpoints{job}).value();
  }
  std::string directory_of(const job_id& job, std::uint64_t checkpoint) const {
    return directory.path("checkpoints/" + to_string(job) + "/chk-" + std::to_string(checkpoint));
  }
};

}  // namespace millrace::test
