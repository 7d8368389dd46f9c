#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "millrace/actors/job_coordinators.hpp"
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
};

/// Spawns the actor that brings one job to its end (Flink's JobMaster). What to do is decided by
/// graph::execution_graph, job_slots, checkpoint_coordinator and restart_schedule.
///
///   offer_slot + handle   -> slot_offer_answer; when all are there, deploy_tasks   (task manager)
///   task_state_changed, task_reports, operator_event                               (task manager)
///   acknowledge_checkpoint, decline_checkpoint, last_checkpoint_awaited            (task manager)
///   slots_missing, task_manager_lost                                               (resource
///   manager) list_jobs             -> job_list of this job (dispatcher) describe_job          ->
///   job_details                                           (dispatcher) list_checkpoints      ->
///   checkpoint_list                                       (dispatcher) take_checkpoint       ->
///   checkpoint_taken                                      (dispatcher) cancel (dispatcher)
///
/// After a failure, regions that are to be restarted are cancelled, and run again from the last
/// completed checkpoint when the restart strategy says so and all slots are there.
///
/// Tells the dispatcher job_status_changed, and job_result with job_details at the end; quits when
/// its task managers know that they are rid of it.
caf::actor spawn_job_master(caf::actor_system& system, job_master_options options);

}  // namespace millrace
