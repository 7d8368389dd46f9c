#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/program_provider.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

struct dispatcher_options {
  caf::actor resource_manager;       ///< Ends with the dispatcher.
  std::shared_ptr<job_store> store;  ///< What the next dispatcher finds of the jobs.
  bool keeps_jobs = false;           ///< The store outlives the process, and so do the jobs.
  std::shared_ptr<io_backend> io;
  std::shared_ptr<file_system> files;
  std::shared_ptr<const clock> time;           ///< For the wall clock only.
  std::shared_ptr<program_provider> programs;  ///< For the coordinators of jobs.
  std::string blob_directory;
  std::uint64_t seed = 0;  ///< Ids of jobs come from it.
  std::size_t ended_jobs_max = 100;
  configuration config;
};

/// Spawns the actor that takes jobs and looks after their masters (Flink's Dispatcher). It begins
/// with the jobs that it finds in the store, and what it is asked meanwhile it answers then. A job
/// master that goes down is replaced, and goes on from the last completed checkpoint.
///
///   artifact_offer, artifact_chunk   -> artifact_status                    (client)
///   artifact_request                 -> artifact_chunk                     (task manager)
///   submit_job                       -> job_submitted; spawns a job_master (client)
///   list_jobs                        -> job_list                           (client)
///   describe_job                     -> job_details                        (client)
///   watch_job                        -> ack; job_result when it has ended  (client)
///   cancel_job                       -> ack                                (client)
///   list_checkpoints                 -> checkpoint_list                    (client)
///   describe_checkpoint              -> checkpoint_details                 (client)
///   take_checkpoint                  -> checkpoint_taken                   (client)
///   kill_actor                       -> ack                                (client)
///   job_status_changed; job_result with job_details                        (job master)
///
/// and for those who know only the dispatcher: register_task_manager and list_nodes, which it
/// delegates to the resource manager, and peer_hello, which is for the task manager in this
/// process, if there is one.
caf::actor spawn_dispatcher(caf::actor_system& system, dispatcher_options options);

}  // namespace millrace
