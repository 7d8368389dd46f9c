#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "millrace/actors/job_coordinators.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"
#include "millrace/graph/job_graph.hpp"

namespace millrace {

struct job_master_options {
  job_id job;
  graph::job_graph graph;  ///< Has passed graph::check_job_graph.
  caf::actor dispatcher;
  caf::actor resource_manager;
  std::string library;              ///< The stored job library; empty for a job without one.
  coordinator_resources resources;  ///< Its I/O and files are also for checkpoints.
  configuration config;             ///< The master's, with the job's over it.
  std::uint64_t seed = 0;           ///< The jitter of restarts comes from it.
  std::uint64_t submitted_wall_ms = 0;
  std::shared_ptr<job_store> store;  ///< What the next master of the job goes on from.
  job_ledger from;                   ///< What this one goes on from; with its epoch.
};

/// Spawns the actor that brings one job to its end (Flink's JobMaster). What to do is decided by
/// graph::execution_graph, job_slots, checkpoint_coordinator and restart_schedule.
///
/// From task managers: offer_slot + handle -> slot_offer_answer, which leads to deploy_tasks when
/// all are there; task_state_changed, task_reports, alignment_reached, operator_event,
/// iteration_reported; acknowledge_checkpoint, decline_checkpoint, last_checkpoint_awaited.
/// From the resource manager: slots_missing, task_manager_lost.
/// From the dispatcher: list_jobs, describe_job, list_checkpoints, describe_checkpoint,
/// take_checkpoint, take_savepoint, stop_job, cancel, and kill_actor, for tests.
///
/// After a failure, regions that are to be restarted are cancelled, and run again from the last
/// completed checkpoint when the restart strategy says so and all slots are there.
///
/// Tells the dispatcher job_status_changed, and job_result with job_details at the end, when the
/// store has it; quits when its task managers know that they are rid of it. Ends with the
/// dispatcher. If it goes down otherwise, the dispatcher spawns another one, with the next epoch.
caf::actor spawn_job_master(caf::actor_system& system, job_master_options options);

}  // namespace millrace
