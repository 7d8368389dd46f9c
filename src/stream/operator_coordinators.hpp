#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/job_program.hpp"

namespace millrace {

/// What the coordinators of a job need of the world and of the job master. Injected.
class coordinator_services {
 public:
  virtual ~coordinator_services() = default;

  /// Sends an event to operator `operator_index` of a task that is ready. In order.
  virtual void send_to_operator(const execution_attempt_id& task, std::uint32_t operator_index,
                                std::vector<std::byte> event) = 0;
  /// A coordinator cannot go on; the message names its operator. May come from within any call.
  virtual void fail_job(error why) = 0;
  virtual io_executor& io() noexcept = 0;
  virtual file_system& files() noexcept = 0;
  virtual const clock& time() const noexcept = 0;
  /// Calls operator_coordinators::wake at that time; the earliest request counts.
  virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
};

/// Whether some operator of the job has a coordinator, so that the job master needs its program.
bool has_coordinators(const graph::job_graph& graph) noexcept;

/// The operator coordinators of one job: made from its program, told of its tasks, and kept apart
/// from attempts that are no longer the current ones (Flink's OperatorCoordinatorHolder, of all
/// operators). Whatever a coordinator throws fails the job with the operator's name, after which
/// nobody is called any more but for close(). Plain; owned by the job master.
class operator_coordinators {
 public:
  /// Snapshots by the uid of the operator.
  using snapshots = std::map<std::string, std::vector<std::byte>>;

  /// Throws `failure` if the program does not fit the graph, and whatever making a coordinator
  /// throws, with the operator's name. `services` outlives it.
  operator_coordinators(const graph::job_graph& graph, std::shared_ptr<const job_program> program,
                        coordinator_services& services, bool is_checkpointed);
  ~operator_coordinators();
  operator_coordinators(const operator_coordinators&) = delete;
  operator_coordinators& operator=(const operator_coordinators&) = delete;

  /// What `snapshot` returned of the checkpoint that the job starts from; before start(). One that
  /// has no snapshot starts afresh. Errors name the operator.
  status restore(const snapshots& of_checkpoint);
  /// Before any task is ready.
  void start();

  /// A new attempt of a subtask runs and hears events from now on.
  void on_task_ready(const execution_attempt_id& task);
  /// The attempt has ended, however: it hears no more events.
  void on_task_gone(const execution_attempt_id& task);
  /// The attempt is gone, and another goes on from `restored`; 0 if it starts afresh.
  void on_task_failed(const execution_attempt_id& task, checkpoint_id restored);
  /// Events of attempts that are not, or no longer, ready are dropped.
  void on_event(const execution_attempt_id& task, std::uint32_t operator_index, byte_view event);
  /// Calls the coordinators whose wake-up is due.
  void wake(std::chrono::steady_clock::time_point now);

  snapshots snapshot(checkpoint_id checkpoint);
  void on_checkpoint_complete(checkpoint_id checkpoint);
  void on_checkpoint_aborted(checkpoint_id checkpoint);

  /// Outstanding I/O is dropped. Safe to call from within a call of `services`.
  void close() noexcept;

 private:
  class holder;

  template <class Call>
  void each(Call&& call);

  coordinator_services& services_;
  std::shared_ptr<const job_program> program_;    // keeps the code alive that the coordinators run
  std::vector<std::unique_ptr<holder>> holders_;  // in the order of vertices and operators
  bool is_open_ = true;
};

}  // namespace millrace
