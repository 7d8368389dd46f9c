#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/checkpoint/checkpoint_history.hpp"
#include "millrace/checkpoint/pending_checkpoint.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/execution_state.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/job_status.hpp"
#include "millrace/graph/pipelined_regions.hpp"
#include "millrace/stream/accumulator.hpp"
#include "millrace/stream/element.hpp"
#include "millrace/stream/iteration_protocol.hpp"
#include "millrace/stream/watermark_alignment.hpp"

// Every message between actors of different kinds, in the order of a job's life. Plain aggregates
// that the byte codec encodes (wire.hpp makes CAF use it), so a message costs one copy of bytes,
// is bounded, and carries floats exactly. Actor handles never sit inside: they are a separate
// element of the CAF message, noted as "+ handle". A handle that means nothing (any more) arrives
// as null: such a message is dropped or refused.
//
// Fencing: whatever changes something names the job and attempt, or the registration, that it is
// meant for; the receiver drops what is not current.

namespace millrace::wire {

/// The answer "done" of requests that yield nothing.
struct ack {};

// -- client -> dispatcher -------------------------------------------------------------------------

/// Is the library with this hash stored? -> artifact_status. Starts an upload if not.
struct artifact_offer {
  std::string sha256;  ///< 64 hex digits.
  std::uint64_t size = 0;
};

struct artifact_status {
  std::uint64_t stored_bytes = 0;  ///< The next chunk starts here.
  bool complete = false;           ///< Every byte is there and the hash was right.
};

/// At most `artifact_chunk_bytes_max`. client -> dispatcher: upload, -> artifact_status.
/// dispatcher -> task manager: the answer to artifact_request.
struct artifact_chunk {
  std::string sha256;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  ///< Of the whole artifact.
  std::vector<std::byte> bytes;
};
inline constexpr std::size_t artifact_chunk_bytes_max = 256 * 1024;

/// task manager -> dispatcher: the chunk at this offset -> artifact_chunk.
struct artifact_request {
  std::string sha256;
  std::uint64_t offset = 0;
};

/// -> job_submitted, or an error.
struct submit_job {
  graph::job_graph graph;
};
struct job_submitted {
  job_id job;
};

/// Sends job_result to the sender when the job has ended (at once if it has). -> ack.
struct watch_job {
  job_id job;
};

/// How a job ended.
struct job_result {
  job_id job;
  std::string name;
  graph::job_status status = graph::job_status::created;
  std::optional<error> cause;  ///< Why, unless finished.
  accumulator_map accumulators;
  std::uint64_t duration_ms = 0;
};

/// -> ack, or `unknown_job`. The job ends later; watch it.
struct cancel_job {
  job_id job;
};

/// -> job_list.
struct list_jobs {};

/// One line of `millrace list`.
struct job_overview {
  job_id job;
  std::string name;
  graph::job_status status = graph::job_status::created;
  std::uint64_t start_wall_ms = 0;  ///< Since the epoch.
  std::uint64_t duration_ms = 0;
  std::uint32_t tasks = 0;
  std::uint32_t tasks_running = 0;
  std::uint32_t tasks_finished = 0;
};
struct job_list {
  std::vector<job_overview> jobs;
};

/// -> job_details, or `unknown_job`.
struct describe_job {
  job_id job;
};

/// What one chained operator of one subtask has done since its start.
struct operator_report {
  std::uint64_t rows_in = 0;
  std::uint64_t rows_out = 0;
  std::vector<std::pair<std::string, std::uint64_t>> metrics;  ///< The user's counters.
  timestamp_ms output_watermark = no_timestamp;                ///< The last that it passed on.
};

/// How far event time is on one logical input of a task.
struct input_time_report {
  timestamp_ms watermark = no_timestamp;
  bool is_idle = false;
  /// Which producer it waits for: the one with the smallest watermark of those that are active.
  struct producer {
    std::uint32_t vertex = 0;
    std::uint32_t subtask = 0;
  };
  std::optional<producer> held_back_by;
};

/// What one task has done since its start.
struct task_report {
  execution_attempt_id task;
  std::vector<operator_report> operators;  ///< By operator index of the vertex.
  std::vector<input_time_report> inputs;   ///< By logical input.
  std::uint64_t busy_ns = 0;
  std::uint64_t idle_ns = 0;
  std::uint64_t blocked_ns = 0;
  std::uint64_t bytes_out = 0;       ///< Over exchanges.
  std::uint64_t progress_done = 0;   ///< Bounded sources: how far,
  std::uint64_t progress_total = 0;  ///< of how much; 0 if unknown.
};

/// One subtask as `millrace describe` shows it.
struct subtask_details {
  std::uint32_t subtask = 0;
  std::uint32_t attempt = 0;
  graph::execution_state state = graph::execution_state::created;
  std::string task_manager;  ///< Address, empty until it has a slot.
  std::optional<error> cause;
  task_report report;
  /// Over the last reporting interval, per second, times 1000 (no floats on the wire).
  std::uint64_t rows_in_per_ks = 0;
  std::uint64_t rows_out_per_ks = 0;
  std::uint32_t busy_permille = 0;
  std::uint32_t blocked_permille = 0;
};
struct vertex_details {
  std::uint32_t vertex = 0;
  std::vector<subtask_details> subtasks;
};
struct job_details {
  job_overview overview;
  graph::job_graph graph;
  std::optional<error> cause;
  std::string waiting_for;  ///< "4 slots needed, 2 of 2 free": why it does not run yet, or empty.
  std::vector<vertex_details> vertices;
  std::uint64_t progress_done = 0;   ///< Sum over bounded sources,
  std::uint64_t progress_total = 0;  ///< 0 if any is unknown.
  std::uint64_t source_rows = 0;     ///< Emitted by all sources.
  std::uint64_t restarts = 0;
  std::optional<error> last_failure;  ///< The latest that tasks were restarted after.
  std::optional<checkpoint_record> last_checkpoint;  ///< That was completed.
  std::string savepoint;         ///< Where the one is that it was stopped with; else empty.
  accumulator_map accumulators;  ///< As in job_result, once it has finished.
};

/// -> checkpoint_taken once it is complete, or an error. One that begins now, or as soon as one
/// may.
struct take_checkpoint {
  job_id job;
};
struct checkpoint_taken {
  checkpoint_record checkpoint;
};

/// -> checkpoint_taken once the savepoint is complete, or an error.
struct take_savepoint {
  job_id job;
  std::string directory;  ///< It gets one of its own below; empty: `state.savepoints.dir`.
};

/// -> checkpoint_taken, of the savepoint, once the job has finished; or an error, and why the job
/// goes on.
struct stop_job {
  job_id job;
  std::string directory;
  bool drain = false;  ///< Event time ends before: windows and timers fire.
};

/// -> checkpoint_list, or `unknown_job`.
struct list_checkpoints {
  job_id job;
};
struct checkpoint_list {
  job_id job;
  std::uint64_t completed = 0;  ///< Ever.
  std::uint64_t failed = 0;
  std::vector<checkpoint_record> checkpoints;  ///< The latest, oldest first.
};

/// -> checkpoint_details of one of those, or `not_found`, with the numbers there are.
struct describe_checkpoint {
  job_id job;
  checkpoint_id checkpoint;
};
/// What the subtasks of a vertex have done for a checkpoint.
struct vertex_checkpoint {
  std::uint32_t vertex = 0;
  std::string name;
  std::uint32_t parallelism = 0;
  std::vector<subtask_checkpoint> subtasks;  ///< None if they were not told of it.
};
struct checkpoint_details {
  job_id job;
  checkpoint_record checkpoint;
  std::vector<vertex_checkpoint> vertices;
};

/// What `millrace chaos` can kill.
enum class chaos_target : std::uint8_t {
  task = 0,
  job_master = 1,
  resource_manager = 2,
  dispatcher = 3,
  task_manager = 4,
};

/// client -> master -> dispatcher -> job master or resource manager -> task manager: ends an actor
/// as a defect would, for tests of recovery. -> ack, or an error: where `debug.chaos.enabled` is
/// not set, and if there is no such actor.
struct kill_actor {
  chaos_target target = chaos_target::task;
  execution_attempt_id task;  ///< Of a job master, the job alone; the attempt is filled in.
  std::string task_manager;   ///< The address of one.
};

/// -> node_list.
struct list_nodes {};
struct node_overview {
  resource_id resource;
  std::string address;  ///< host:port of its data connections.
  std::uint32_t slots = 0;
  std::uint32_t slots_free = 0;
  std::uint64_t pid = 0;
  std::uint64_t last_heartbeat_ms = 0;  ///< How long ago.
};
struct node_list {
  std::vector<node_overview> nodes;
};

// -- task manager <-> resource manager ------------------------------------------------------------

/// One slot as its owner sees it.
struct slot_status {
  std::uint32_t slot = 0;
  allocation_id allocation;  ///< Null if free.
  job_id job;                ///< Null if free.
};

/// A job whose state a task manager has copies of, left by a process before it or from before the
/// master was lost.
struct kept_job {
  job_id job;
  std::uint32_t slots = 0;  ///< That the copies were made in.
};

/// + handle of the task manager. -> registration, or an error. Sent again with back-off until
/// answered, and after the master was lost. A slot that it holds for a job that has ended meanwhile
/// is answered by free_slot, too.
struct register_task_manager {
  resource_id resource;
  std::string host;  ///< Where other task managers reach it.
  std::uint16_t port = 0;
  std::uint64_t pid = 0;
  std::vector<slot_status> slots;
  std::vector<kept_job> kept{};  ///< Whose slots it prefers to be.
};
struct registration {
  std::uint64_t master_epoch = 0;  ///< Differs between lives of the resource manager.
  std::uint64_t heartbeat_interval_ms = 0;
  std::uint64_t heartbeat_timeout_ms = 0;
};

/// task manager -> resource manager, each interval; answered by heartbeat_answer, whose absence
/// for the timeout means that the master is lost. An answer of another epoch means that the master
/// does not know the task manager (any more): it is to register again.
struct heartbeat {
  resource_id resource;
  std::uint64_t master_epoch = 0;
  std::uint64_t sequence = 0;
  std::vector<slot_status> slots;
  std::uint64_t grants_seen = 0;  ///< The last allocate_slot that `slots` takes into account.
};
struct heartbeat_answer {
  std::uint64_t master_epoch = 0;
  std::uint64_t sequence = 0;
};

/// resource manager -> task manager: step 5 of the submit flow. + handle of the job master, to
/// which the slot is to be offered. That a slot is not free shows in the next heartbeat.
struct allocate_slot {
  std::uint64_t master_epoch = 0;
  std::uint32_t slot = 0;
  allocation_id allocation;
  job_id job;
  std::uint64_t number = 0;  ///< Ascending, for the heartbeat.
  /// Which of all registrations it is meant for; for the offer.
  std::uint64_t registration = 0;
  std::uint64_t epoch = 0;  ///< Of the job's master: what was there for an earlier one is to go.
};

/// task manager -> resource manager: the slot is free again.
struct slot_freed {
  resource_id resource;
  std::uint64_t master_epoch = 0;
  std::uint32_t slot = 0;
  allocation_id allocation;
};

// -- job master <-> resource manager --------------------------------------------------------------

/// + handle of the job master. The job needs this many slots in all, whatever it has already; 0
/// when it needs none any more.
struct require_slots {
  job_id job;
  std::string name;  ///< Of the job.
  std::uint32_t slots = 0;
  std::uint64_t epoch = 0;  ///< Of the job's master: those of an earlier one are void.
};

/// resource manager -> job master, whenever it changes while the request is not fulfilled, and
/// once with `timed_out` after slot.request.timeout.
struct slots_missing {
  job_id job;
  std::uint32_t needed = 0;
  std::uint32_t free = 0;
  std::uint32_t registered = 0;
  bool timed_out = false;
  std::string message;  ///< Why the job must fail, if timed out.
};

/// resource manager -> every job master.
struct task_manager_lost {
  resource_id resource;
  std::string address;
  std::string reason;              ///< "connection lost", "no heartbeat for 10 s"
  std::uint64_t registration = 0;  ///< What it offers from this one, or one before, is void.
};

// -- task manager <-> job master ------------------------------------------------------------------

/// + handle of the task manager. -> slot_offer_answer.
struct offer_slot {
  job_id job;
  allocation_id allocation;
  resource_id resource;
  std::string host;
  std::uint16_t port = 0;
  std::uint64_t registration = 0;  ///< As in allocate_slot.
  /// Of which the task manager has copies of state: vertex and subtask.
  std::vector<graph::subtask_ref> kept{};
};
struct slot_offer_answer {
  bool accepted = false;
};

/// Where the tasks that a deployed task talks to live.
struct peer_location {
  resource_id resource;
  std::string host;
  std::uint16_t port = 0;
};
struct task_placement {
  std::uint32_t vertex = 0;
  std::uint32_t subtask = 0;
  std::uint32_t attempt = 0;
  std::uint32_t peer = 0;  ///< Index into deploy_tasks::peers.
};
struct task_deployment {
  execution_attempt_id task;
  allocation_id allocation;
};
/// The checkpoint that tasks begin from.
struct restore_point {
  checkpoint_id checkpoint;
  std::string location;  ///< Where its metadata lie.
};
/// job master -> task manager: start these tasks. `placements` holds every task of the job, so
/// that each finds its producers. -> ack, or an error that fails all of them.
struct deploy_tasks {
  job_id job;
  graph::job_graph graph;
  std::vector<peer_location> peers;
  std::vector<task_placement> placements;
  std::vector<task_deployment> tasks;
  std::optional<restore_point> restore;  ///< Nothing to begin afresh.
};

/// job master -> task manager.
struct cancel_tasks {
  std::vector<execution_attempt_id> tasks;
};

/// job master -> task manager: the job needs this slot no more, or takes it for lost; its tasks are
/// gone or are to go.
struct free_slot {
  job_id job;
  allocation_id allocation;
  bool goes_on = false;  ///< The job, in other slots.
};

/// task actor -> task manager -> job master. A final state comes with the final report.
struct task_state_changed {
  execution_attempt_id task;
  graph::execution_state state = graph::execution_state::created;
  std::optional<error> cause;
  std::string failed_operator;  ///< Where the cause arose, if in an operator.
  task_report report;
  accumulator_map accumulators;  ///< In a final state.
  /// When running: why no savepoint can be taken while it does. Empty if one can.
  std::string savepoint_refusal;
};

/// task manager -> job master, each metrics.update.interval.
struct task_reports {
  resource_id resource;
  job_id job;
  std::vector<task_report> reports;
};

/// task actor -> task manager -> job master: how far a member of a watermark alignment group is.
struct alignment_reached {
  execution_attempt_id task;
  std::uint32_t operator_index = 0;
  alignment_report report;
};

/// task actor -> task manager -> job master: from an operator to its coordinator there.
struct operator_event {
  execution_attempt_id task;
  std::uint32_t operator_index = 0;
  std::vector<std::byte> event;
};

/// job master -> task manager -> task actor: the other way round.
struct coordinator_event {
  execution_attempt_id task;
  std::uint32_t operator_index = 0;
  std::vector<std::byte> event;
};

/// job master -> task manager -> task actors: a question to the tasks of an iteration's loop, or
/// what became of it.
struct command_iteration {
  iteration_command command;
  std::vector<execution_attempt_id> tasks;
};

/// task actor -> task manager -> job master: an answer.
struct iteration_reported {
  execution_attempt_id task;
  iteration_report report;
};

/// job master -> task manager -> task actors: whoever of the group is further is to wait.
struct align_watermarks {
  std::string group;
  timestamp_ms limit = max_watermark;
  std::vector<execution_attempt_id> tasks;
};

/// job master -> task manager -> task actors: a checkpoint begins, and no barrier reaches these.
struct trigger_checkpoint {
  barrier cut;
  std::vector<execution_attempt_id> tasks;
};

/// job master -> task manager -> task actors, before the trigger: where the state of a savepoint
/// goes. Barriers may overtake it.
struct savepoint_target {
  checkpoint_id checkpoint;
  std::string location;
  std::vector<execution_attempt_id> tasks;
};

/// job master -> task manager -> task actors of sources: emit nothing more, and end event time.
struct drain_sources {
  std::vector<execution_attempt_id> tasks;
};

/// task actor -> task manager -> job master: its state is stored.
struct acknowledge_checkpoint {
  checkpoint_acknowledgement what;
};

/// task actor -> task manager -> job master: its state could not be stored.
struct decline_checkpoint {
  execution_attempt_id task;
  checkpoint_id checkpoint;
  error why;
};

/// task actor -> task manager -> job master: it has emitted everything, and ends when a checkpoint
/// is complete.
struct last_checkpoint_awaited {
  execution_attempt_id task;
};

/// job master -> task manager -> task actors: this checkpoint is stored for all.
struct checkpoint_complete {
  checkpoint_id checkpoint;
  std::vector<execution_attempt_id> tasks;
};

/// job master -> task manager -> task actors: there will be no such checkpoint.
struct checkpoint_aborted {
  checkpoint_id checkpoint;
  std::vector<execution_attempt_id> tasks;
};

// -- task manager <-> task manager ----------------------------------------------------------------

/// + handle of the sender. First message of the task manager that has connected, to the actor that
/// the other node publishes; a master's node hands it to its own task manager, if it has one.
struct peer_hello {
  resource_id resource;      ///< Of the sender.
  bool wants_answer = true;  ///< The dialer asks, the acceptor answers in kind.
};

// -- task <-> task --------------------------------------------------------------------------------

/// consumer -> the producer's task manager -> producer. + handle of the consumer. Opens the channel
/// of `edge` between the two and grants credit.
struct open_channel {
  execution_attempt_id producer;
  execution_attempt_id consumer;
  std::uint32_t edge = 0;
  std::uint64_t credit_bytes = 0;
};

/// producer -> consumer, from then on the sender to which credit goes.
struct channel_opened {
  execution_attempt_id consumer;
  std::uint32_t input_channel = 0;
  std::uint32_t output_channel = 0;  ///< The producer's number, to put into channel_credit.
};

/// producer -> consumer: the data plane. Encoded by hand (wire_element.cpp).
struct channel_element {
  execution_attempt_id consumer;
  std::uint32_t input_channel = 0;
  element what;
};

/// consumer -> producer: the charge of processed batches.
struct channel_credit {
  execution_attempt_id producer;
  std::uint32_t output_channel = 0;
  std::uint64_t charge = 0;
};

// -- within a node --------------------------------------------------------------------------------

/// job master -> dispatcher.
struct job_status_changed {
  job_id job;
  graph::job_status status = graph::job_status::created;
};

/// Cancel; client API and dispatcher -> job master, task manager -> task.
struct cancel {};

}  // namespace millrace::wire
