#include "millrace/actors/master.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include "millrace/actors/dispatcher.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/resource_manager.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

caf::actor spawn_master(caf::actor_system& system, master_options options) {
  const auto& config = options.config;
  resource_manager_options resources;
  resources.seed = options.seed;
  resources.heartbeat_interval = config.get(options::heartbeat_interval);
  resources.heartbeat_timeout = config.get(options::heartbeat_timeout);
  resources.slot_request_timeout = config.get(options::slot_request_timeout);
  resources.drop_connection = std::move(options.drop_connection);

  dispatcher_options jobs;
  jobs.resource_manager = spawn_resource_manager(system, std::move(resources));
  jobs.io = std::move(options.io);
  jobs.files = std::move(options.files);
  jobs.time = std::move(options.time);
  jobs.programs = std::move(options.programs);
  jobs.blob_directory = std::move(options.blob_directory);
  jobs.seed = ~options.seed;  // another stream than the resource manager's
  jobs.config = config;
  return spawn_dispatcher(system, std::move(jobs));
}

void attach_task_manager(const caf::actor& dispatcher, const caf::actor& task_manager) {
  caf::anon_send(dispatcher, local::local_task_manager{}, task_manager);
}

void stop_master(const caf::actor& dispatcher) {
  caf::anon_send(dispatcher, local::shut_down{});
}

}  // namespace millrace
