#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <filesystem>
#include <random>
#include <utility>

#include "millrace/actors/embedded_job_client.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/master.hpp"
#include "millrace/actors/program_embedded.hpp"
#include "millrace/actors/task_manager.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/api/job_runner.hpp"
#include "millrace/checkpoint/local_state.hpp"
#include "millrace/core/options.hpp"
#include "millrace/state/state_backend_provider.hpp"
#include "millrace/transport/actor_system_options.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds submit_timeout{30};

/// The actor system's configuration, complete before the system is made.
struct embedded_config : caf::actor_system_config {
  explicit embedded_config(const configuration& config) {
    transport::apply_engine_settings(*this, options::worker_threads_of(config), false);
    wire::register_types(*this);
  }
};

void remove_if_empty(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove(directory, ignored);
}

/// A cluster of one process: the actors of a master and of one task manager, without a network.
class embedded_cluster final : public master_access {
 public:
  embedded_cluster(const configuration& config, std::uint32_t slots,
                   state_backend_provider backends)
      : directory_(config.get(options::io_tmp_dirs) + "/millrace-embedded-" +
                   std::to_string(::getpid())),
        config_(config),
        system_(config_),
        programs_(std::make_shared<embedded_program_provider>()),
        files_(std::make_shared<local_file_system>()),
        io_(std::make_shared<io_pool>(
            io_pool::options{.threads_max = config.get(options::io_threads)})) {
    const auto time = std::make_shared<system_clock_source>();
    std::random_device entropy;
    const auto random = [&] { return (std::uint64_t{entropy()} << 32) | entropy(); };
    const auto& directory = directory_;

    master_options master;
    master.config = config;
    // Its jobs are code of this process, and end with it.
    (void)master.config.set(options::high_availability_type.key, "none", "an embedded job");
    master.io = io_;
    master.files = files_;
    master.time = time;
    master.programs = programs_;
    master.blob_directory = directory;
    master.seed = random();
    master_ = spawn_master(system_, std::move(master));

    task_manager_options worker;
    worker.resource = make_id<resource_id>(random);
    worker.host = "embedded";
    worker.pid = static_cast<std::uint64_t>(::getpid());
    worker.slots = slots;
    worker.master = master_;
    worker.programs = programs_;
    worker.io = io_;
    worker.files = files_;
    worker.time = time;
    worker.backends = std::move(backends);
    worker.blob_directory = directory;
    worker.spill_directory = directory + "/spill";
    local_state_ = local_state::open(config, to_string(worker.resource), time->now());
    if (local_state_ != nullptr) worker.copies = local_state_->copies();
    worker.config = config;
    task_manager_ = spawn_task_manager(system_, std::move(worker));
  }

  /// Jobs are cancelled first, so that their tasks close what they have open.
  ~embedded_cluster() override {
    caf::scoped_actor self(system_);
    stop_master(master_);
    self->wait_for(master_);
    stop_task_manager(task_manager_);
    self->wait_for(task_manager_);
    remove_if_empty(directory_ + "/spill");
    remove_if_empty(directory_);
  }

  embedded_cluster(const embedded_cluster&) = delete;
  embedded_cluster& operator=(const embedded_cluster&) = delete;

  caf::actor_system& system() noexcept override { return system_; }
  caf::actor master() override { return master_; }
  status reconnect(const caf::actor&) override {
    return fail(errc::master_lost, "the cluster of this process has ended");
  }
  const std::shared_ptr<embedded_program_provider>& programs() const noexcept { return programs_; }

 private:
  /// Made only if something is stored; another cluster of this process may use it, too.
  const std::string directory_;
  std::unique_ptr<local_state> local_state_;  // outlives what writes to it
  embedded_config config_;
  caf::actor_system system_;
  std::shared_ptr<embedded_program_provider> programs_;
  std::shared_ptr<file_system> files_;
  // Ends before what its threads may still use when all tasks have ended: the file system, programs
  // and the system that completions go to.
  std::shared_ptr<io_pool> io_;
  caf::actor master_;
  caf::actor task_manager_;
};

class embedded_runner final : public job_runner {
 public:
  embedded_runner(const configuration& config, std::uint32_t slots, state_backend_provider backends)
      : cluster_(std::make_shared<embedded_cluster>(config, slots, std::move(backends))) {}

  result<std::unique_ptr<job_client>> submit(graph::job_graph graph,
                                             std::shared_ptr<const job_program> program) override {
    const auto programs = cluster_->programs();
    const auto mark = programs->add(graph, std::move(program));
    result<job_id> submitted = fail(errc::internal, "no answer");
    caf::scoped_actor self(cluster_->system());
    self->request(cluster_->master(), submit_timeout, wire::submit_job{std::move(graph)})
        .receive([&](const wire::job_submitted& answer) { submitted = answer.job; },
                 [&](const caf::error& e) { submitted = tl::unexpected(from_caf(e)); });
    if (!submitted) {
      programs->forget(mark);
      return tl::unexpected(submitted.error());
    }
    return make_job_client(cluster_, *submitted, [programs, mark] { programs->forget(mark); });
  }

 private:
  std::shared_ptr<embedded_cluster> cluster_;
};

}  // namespace

result<std::shared_ptr<job_runner>> make_embedded_runner(const configuration& config,
                                                         std::uint32_t slots) {
  if (auto good = options::check(config); !good) return tl::unexpected(good.error());
  if (const auto given = config.get(options::task_slots); given != 0) {
    if (given < slots)
      return fail(errc::no_slots, "the job needs " + std::to_string(slots) +
                                      " slots, but taskmanager.numberOfTaskSlots is " +
                                      std::to_string(given) + " (" +
                                      config.origin_of(options::task_slots) +
                                      ") and this process is the whole cluster; raise it, leave it "
                                      "out, or lower the parallelism");
    slots = given;
  }
  auto backends = make_state_backend_provider(config);
  if (auto made = backends(config.get(options::state_backend_type)); !made)
    return tl::unexpected(made.error());
  return std::make_shared<embedded_runner>(config, std::max(slots, 1u), std::move(backends));
}

}  // namespace millrace
