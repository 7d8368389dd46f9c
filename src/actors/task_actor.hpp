#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/messages.hpp"
#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/job_copies.hpp"
#include "millrace/checkpoint/restore_source.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/job_program.hpp"
#include "millrace/stream/task_services.hpp"

namespace millrace {

/// Everything a task needs to run.
struct task_setup {
  /// One input channel: whom to ask to open it.
  struct input {
    execution_attempt_id producer;
    std::uint32_t edge = 0;
    caf::actor producer_task_manager;
    std::string producer_address;  ///< For messages.
  };

  execution_attempt_id id;
  std::shared_ptr<const graph::job_graph> graph;
  std::shared_ptr<const job_program> program;
  task_options options;
  std::vector<input> inputs;                       ///< By input channel.
  std::uint64_t channel_bytes = 0;                 ///< Credit for each input channel.
  std::chrono::milliseconds open_timeout{60'000};  ///< For the producers to open the channels.
  caf::actor task_manager;  ///< Is sent task_state_changed and task_reported.
  std::shared_ptr<io_backend> io;
  std::shared_ptr<file_system> files;
  std::shared_ptr<const clock> time;
  std::shared_ptr<checkpoint_storage> checkpoints;  ///< And savepoints; null in batch mode.
  std::shared_ptr<job_copies> copies;               ///< Of its checkpoints; null for none.
  std::optional<wire::restore_point> restore;       ///< Nothing to begin afresh.
  std::shared_ptr<restore_source> restored_from;    ///< With `restore`.
};

/// Spawns the actor of one subtask. It hosts a `stream_task` and does nothing itself but move
/// messages between it and the mailbox:
///
///   start_task        opens the operators and asks for the input channels    (task manager)
///   open_channel      a consumer has come; answered by channel_opened        (task manager)
///   channel_opened    whom to return credit to                               (producer)
///   channel_element   data                                                   (producer)
///   channel_credit    room for data                                          (consumer)
///   cancel, fail_task end                                                    (task manager)
///   report_task       answered by task_reported                              (task manager)
///   trigger_checkpoint, checkpoint_complete, checkpoint_aborted              (job master)
///   savepoint_target  where the state of a savepoint goes; it waits until this is known
///   drain_sources     a source has nothing more to emit                      (job master)
///   align_watermarks  how far members of an alignment group may go           (job master)
///   command_iteration what the coordinator of its iteration wants of it      (job master)
///
/// A task that begins from a checkpoint first has its state read, and is INITIALIZING meanwhile.
///
/// Work is done in `step` messages to itself, of which at most one is under way, so that everything
/// that has arrived is taken in first and the mailbox gets its turn between two steps. Messages for
/// another attempt are dropped. It reports INITIALIZING, RUNNING and exactly one final state, after
/// its operators were closed, and then quits.
///
/// The handle may outlive the task: messages to it then vanish.
caf::actor spawn_task(caf::event_based_actor& parent, task_setup setup);

}  // namespace millrace
