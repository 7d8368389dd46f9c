#include "millrace/actors/cluster_node.hpp"

#include <unistd.h>

#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <cstdlib>
#include <random>
#include <utility>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/master.hpp"
#include "millrace/actors/node_network.hpp"
#include "millrace/actors/program_library.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/task_manager.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/local_state.hpp"
#include "millrace/core/directory_lock.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"
#include "millrace/core/scratch_directory.hpp"
#include "millrace/state/state_backend_provider.hpp"

namespace millrace {

namespace {

/// For tasks to end when the node is stopped. A task that hangs keeps its threads busy for ever, so
/// that the process can only be ended as a whole.
constexpr std::chrono::seconds stop_timeout{30};

/// What this process keeps on disk: gone when it has ended, at the latest when the next begins, but
/// for a configured blob directory.
class node_directory {
 public:
  static result<std::unique_ptr<node_directory>> make(const configuration& config,
                                                      const resource_id& id) {
    auto own = scratch_directory::make(config.get(options::io_tmp_dirs), "millrace-",
                                       to_string(id).substr(0, 8));
    if (!own)
      return fail(own.error().code,
                  std::string(options::io_tmp_dirs.key) + ": " + own.error().message);
    auto blobs = config.get(options::blob_storage_directory);
    if (blobs.empty()) blobs = (*own)->path() + "/blobs";
    return std::unique_ptr<node_directory>(new node_directory(std::move(*own), std::move(blobs)));
  }

  /// Master and task manager of one process each have their own.
  std::string blobs_of(const std::string& role) const { return blobs_ + "/" + role; }
  std::string spilled() const { return own_->path() + "/spill"; }
  /// For state that is kept on disk.
  const std::string& path() const { return own_->path(); }

 private:
  node_directory(std::unique_ptr<scratch_directory> own, std::string blobs)
      : own_(std::move(own)), blobs_(std::move(blobs)) {}

  std::unique_ptr<scratch_directory> own_;
  std::string blobs_;
};

[[noreturn]] void end_process(const std::string& why) {
  log_event(log_level::error, "ending the process", {{"reason", why}});
  std::_Exit(EXIT_FAILURE);
}

/// A process without it would be in the way of one that has it.
void end_process_with(const caf::actor& actor, const std::string& what) {
  caf::actor_cast<caf::abstract_actor*>(actor)->attach_functor([what](const caf::error& reason) {
    if (reason && reason != caf::exit_reason::user_shutdown)
      end_process(what + " broke down: " + caf::to_string(reason));
  });
}

std::uint64_t random_word() {
  static thread_local std::random_device entropy;
  return (std::uint64_t{entropy()} << 32) | entropy();
}

caf::behavior doorman(caf::event_based_actor* self) {
  ignore_the_unexpected(*self);
  return {[](const wire::ack&) {}};
}

class local_node final : public cluster_node {
 public:
  local_node(std::unique_ptr<node_directory> directory, std::unique_ptr<node_network> network,
             const configuration& config)
      : directory_(std::move(directory)),
        network_(std::move(network)),
        files_(std::make_shared<local_file_system>()),
        time_(std::make_shared<system_clock_source>()),
        io_(std::make_shared<io_pool>(
            io_pool::options{.threads_max = config.get(options::io_threads)})),
        config_(config) {}

  ~local_node() override { stop(); }

  /// The master has to be there before the node listens, so that there is something to publish.
  status start_master() {
    // Two masters over one storage would both believe to have its jobs.
    if (auto storage = high_availability_storage(config_); !storage.empty()) {
      auto lock = directory_lock::acquire(storage);
      if (!lock)
        return fail(lock.error().code, std::string(options::high_availability_directory.key) +
                                           ": " + lock.error().message +
                                           " (a cluster has one job manager at a time)");
      storage_ = std::move(*lock);
    }
    master_options options;
    options.config = config_;
    options.io = io_;
    options.files = files_;
    options.time = time_;
    options.programs = std::make_shared<library_program_provider>(config_);
    options.blob_directory = directory_->blobs_of("jobmanager");
    options.seed = random_word();
    options.drop_connection = [network = network_.get()](const caf::node_id& node) {
      network->endpoint().drop(node);
    };
    master_ = spawn_master(network_->system(), std::move(options));
    end_process_with(master_, "the job manager");
    network_->endpoint().publish(master_);
    return {};
  }

  void start_task_manager(const resource_id& id, const std::string& host, std::uint16_t port,
                          state_backend_provider backends) {
    local_state_ = local_state::open(config_, to_string(id), time_->now());
    task_manager_options options;
    options.resource = id;
    options.host = host;
    options.port = port;
    options.pid = static_cast<std::uint64_t>(::getpid());
    options.slots = options::task_slots_of(config_);
    options.connector = &network_->endpoint();
    options.master_host = config_.get(options::jobmanager_rpc_address);
    options.master_port = config_.get(options::jobmanager_rpc_port);
    options.master = master_;
    options.programs = std::make_shared<library_program_provider>(config_);
    options.io = io_;
    options.files = files_;
    options.time = time_;
    options.backends = std::move(backends);
    options.blob_directory = directory_->blobs_of("taskmanager");
    options.spill_directory = directory_->spilled();
    if (local_state_ != nullptr) options.copies = local_state_->copies();
    options.config = config_;
    options.on_fatal = [](const error& e) { end_process(e.message); };
    task_manager_ = spawn_task_manager(network_->system(), std::move(options));
    end_process_with(task_manager_, "the task manager");
    if (master_) return attach_task_manager(master_, task_manager_);
    network_->endpoint().publish(task_manager_);
    caf::anon_send_exit(doorman_, caf::exit_reason::user_shutdown);
    doorman_ = nullptr;
  }

  status listen(const std::string& advertised_host) {
    if (!master_) {
      // A task manager is told the port it listens on, so it comes after; others learn that port
      // from its registration, so nobody means this one.
      doorman_ = network_->system().spawn(doorman);
      network_->endpoint().publish(doorman_);
    }
    auto port = network_->endpoint().listen();
    if (!port) return tl::unexpected(port.error());
    port_ = *port;
    address_ = advertised_host + ":" + std::to_string(port_);
    return {};
  }

  std::string address() const override { return address_; }
  std::uint16_t port() const override { return port_; }

  void stop() override {
    if (network_ == nullptr) return;
    // Jobs first, so that their tasks are cancelled in order and clients hear of it.
    if (master_) {
      stop_master(master_);
      await(master_, "the job manager");
    }
    if (task_manager_) {
      stop_task_manager(task_manager_);
      await(task_manager_, "the task manager");
    }
    if (doorman_) caf::anon_send_exit(doorman_, caf::exit_reason::user_shutdown);
    doorman_ = nullptr;
    network_->endpoint().close();
    io_.reset();  // Its completions go to actors of the network's system.
    network_.reset();
    directory_.reset();
    local_state_.reset();
    storage_.reset();
    if (!address_.empty()) log_event(log_level::info, "node stopped", {{"address", address_}});
  }

 private:
  void await(caf::actor& actor, const std::string& what) {
    bool is_down = false;
    caf::scoped_actor self(network_->system());
    self->monitor(actor);
    self->receive([&](const caf::down_msg&) { is_down = true; }, caf::after(stop_timeout) >> [] {});
    if (!is_down)
      end_process(what + " did not end within " + std::to_string(stop_timeout.count()) + " s");
    actor = nullptr;
  }

  std::unique_ptr<node_directory> directory_;
  std::unique_ptr<node_network> network_;
  std::unique_ptr<directory_lock> storage_;
  std::unique_ptr<local_state> local_state_;
  std::shared_ptr<file_system> files_;
  std::shared_ptr<const clock> time_;
  std::shared_ptr<io_pool> io_;  // ends before what its threads may still use
  configuration config_;
  caf::actor master_;
  caf::actor task_manager_;
  caf::actor doorman_;  ///< Published while there is no task manager yet.
  std::string address_;
  std::uint16_t port_ = 0;
};

/// An error of the transport, with the key that is to be changed.
error about_key(const configuration& config, const option_info& key, const error& e) {
  return {e.code, std::string(key.key) + " (" + config.origin_of(key) + "): " + e.message};
}

}  // namespace

result<std::unique_ptr<cluster_node>> cluster_node::start(const configuration& config) {
  if (auto good = options::check(config); !good) return tl::unexpected(good.error());
  const auto role = config.get(options::node_role);
  const bool is_master = role != "taskmanager";
  const auto id = make_id<resource_id>(random_word);

  node_network_options network_options;
  network_options.id = id;
  network_options.worker_threads = role == "jobmanager" ? 2 : options::worker_threads_of(config);
  const auto& bind_key = is_master ? options::jobmanager_bind_host : options::taskmanager_bind_host;
  const auto& port_key = is_master ? options::jobmanager_rpc_port : options::taskmanager_rpc_port;
  const auto& host_key = is_master ? options::jobmanager_rpc_address : options::taskmanager_host;
  network_options.bind_host = config.get(bind_key);
  network_options.port = config.get(port_key);
  network_options.advertised_host = config.get(host_key);

  auto directory = node_directory::make(config, id);
  if (!directory) return tl::unexpected(directory.error());
  auto network = node_network::make(config, network_options);
  if (!network) return tl::unexpected(network.error());
  state_backend_provider backends;
  if (role != "jobmanager") {
    auto scratch = config;
    (void)scratch.set(options::io_tmp_dirs.key, (*directory)->path(), "the node's own directory");
    backends = make_state_backend_provider(scratch);
    // What is wrong with the one that jobs get by default is to be said now.
    if (auto made = backends(config.get(options::state_backend_type)); !made)
      return tl::unexpected(made.error());
  }
  auto node = std::make_unique<local_node>(std::move(*directory), std::move(*network), config);

  if (is_master)
    if (auto started = node->start_master(); !started) return tl::unexpected(started.error());
  if (auto listening = node->listen(network_options.advertised_host); !listening) {
    const auto& e = listening.error();
    return tl::unexpected(
        about_key(config,
                  e.code == errc::address_in_use || e.code == errc::permission_denied
                      ? static_cast<const option_info&>(port_key)
                      : bind_key,
                  e));
  }
  if (role != "jobmanager")
    node->start_task_manager(id, network_options.advertised_host, node->port(),
                             std::move(backends));
  log_event(log_level::info, "node started", {{"role", role}, {"address", node->address()}});
  return node;
}

}  // namespace millrace
