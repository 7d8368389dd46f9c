#pragma once

#include <caf/fwd.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/program_provider.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/stream/operator_coordinators.hpp"

namespace millrace {

/// What coordinators live on in a master's process.
struct coordinator_resources {
  std::shared_ptr<program_provider> programs;  ///< Where the code of jobs comes from.
  std::shared_ptr<io_backend> io;
  std::shared_ptr<file_system> files;
  std::shared_ptr<const clock> time;  ///< For the wall clock only.
};

/// The operator coordinators of a job, hosted by its job master. They run the user's code, so the
/// job's program is loaded here, too, in an I/O thread; nothing of it happens for jobs without
/// coordinators. Part of the job master's actor: called only from there, and calls back there.
class job_coordinators final : private coordinator_services {
 public:
  struct callbacks {
    std::function<void()> ready;      ///< Tasks may be deployed.
    std::function<void(error)> fail;  ///< The job cannot go on.
    std::function<void(wire::coordinator_event)> send;
  };

  /// `graph` and `io` outlive it; so does `self`, which hands local::wake on to it. `library` is
  /// the stored job library, empty if the job has none.
  job_coordinators(caf::event_based_actor& self, io_executor& io, const job_id& job,
                   const graph::job_graph& graph, std::string library, bool is_checkpointed,
                   coordinator_resources resources, callbacks call);
  ~job_coordinators() override;

  /// Loads the program, if it is needed, and starts the coordinators, from `snapshots` those that
  /// have one in what the job goes on from. Calls back, later or at once: `ready`, or `fail` naming
  /// why not.
  void start(operator_coordinators::snapshots snapshots = {});
  bool is_ready() const noexcept { return is_ready_ && !is_closed_; }

  /// The attempt hears events from now on.
  void on_task_ready(const execution_attempt_id& task);
  /// The attempt has ended, however, and hears no more events.
  void on_task_gone(const execution_attempt_id& task);
  /// Another attempt goes on from `restored`; 0 if it starts afresh.
  void on_task_failed(const execution_attempt_id& task, checkpoint_id restored);
  void on_event(const wire::operator_event& event);
  void on_wake(const local::wake& wake);

  /// By uid of the operator; nothing if the job has no coordinators. Fails if one of them has
  /// failed the job.
  result<operator_coordinators::snapshots> snapshot(checkpoint_id checkpoint);
  void on_checkpoint_complete(checkpoint_id checkpoint);
  void on_checkpoint_aborted(checkpoint_id checkpoint);

  /// The job is over, or fails: closes them and lets go of the program.
  void close();

 private:
  class actor_clock;
  struct program_lease;

  void loaded(const result<std::shared_ptr<const job_program>>& program,
              const operator_coordinators::snapshots& snapshots);
  void set_wake();

  void send_to_operator(const execution_attempt_id& task, std::uint32_t operator_index,
                        std::vector<std::byte> event) override;
  void fail_job(error why) override;
  io_executor& io() noexcept override { return io_; }
  file_system& files() noexcept override { return *resources_.files; }
  const clock& time() const noexcept override;
  void wake_at(std::chrono::steady_clock::time_point when) override;

  caf::event_based_actor& self_;
  io_executor& io_;
  job_id job_;
  const graph::job_graph& graph_;
  std::string library_;
  bool is_checkpointed_;
  coordinator_resources resources_;
  callbacks call_;
  std::unique_ptr<actor_clock> time_;
  std::optional<operator_coordinators> coordinators_;
  std::optional<std::chrono::steady_clock::time_point> wake_;
  bool is_ready_ = false;
  bool is_closed_ = false;
  std::shared_ptr<program_lease> lease_;
};

}  // namespace millrace
