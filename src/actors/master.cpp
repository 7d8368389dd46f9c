#include "millrace/actors/master.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/master_supervisor.hpp"
#include "millrace/checkpoint/document_store.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

/// What is found again when the process has died; otherwise it lives with it.
std::shared_ptr<document_store> make_documents(const std::shared_ptr<file_system>& files,
                                               const std::string& directory) {
  if (directory.empty()) return std::make_shared<memory_document_store>();
  return std::make_shared<directory_document_store>(files, directory);
}

}  // namespace

std::string high_availability_storage(const configuration& config) {
  if (config.get(options::high_availability_type) == "none") return {};
  return config.get(options::high_availability_directory) + "/" +
         config.get(options::high_availability_cluster);
}

caf::actor spawn_master(caf::actor_system& system, master_options options) {
  const auto& config = options.config;
  master_supervisor_options all;
  all.seed = options.seed;
  all.obeys_chaos = config.get(options::chaos_enabled);
  auto& resources = all.resource_manager;
  resources.heartbeat_interval = config.get(options::heartbeat_interval);
  resources.heartbeat_timeout = config.get(options::heartbeat_timeout);
  resources.slot_request_timeout = config.get(options::slot_request_timeout);
  resources.drop_connection = std::move(options.drop_connection);

  const auto directory = high_availability_storage(config);
  auto& jobs = all.dispatcher;
  jobs.keeps_jobs = !directory.empty();
  jobs.store = std::make_shared<job_store>(make_documents(options.files, directory), options.seed);
  jobs.io = std::move(options.io);
  jobs.files = std::move(options.files);
  jobs.time = std::move(options.time);
  jobs.programs = std::move(options.programs);
  jobs.blob_directory =
      jobs.keeps_jobs ? directory + "/artifacts" : std::move(options.blob_directory);
  jobs.config = config;
  return spawn_master_supervisor(system, std::move(all));
}

void attach_task_manager(const caf::actor& master, const caf::actor& task_manager) {
  caf::anon_send(master, local::local_task_manager{}, task_manager);
}

void stop_master(const caf::actor& master) {
  caf::anon_send(master, local::shut_down{});
}

}  // namespace millrace
