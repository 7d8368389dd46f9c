#include "sim/process.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>

#include "millrace/actors/master.hpp"
#include "millrace/actors/task_manager.hpp"
#include "millrace/core/options.hpp"
#include "sim/layered_backend.hpp"

namespace millrace::sim {

namespace {

bool has_terminated(const caf::actor& actor) {
  return caf::actor_cast<caf::abstract_actor*>(actor)->getf(
      caf::abstract_actor::is_terminated_flag);
}

}  // namespace

process::process(world& w, std::size_t machine, time_point now, random_source random)
    : world_(w),
      machine_(machine),
      id_(make_id<resource_id>(random)),
      seed_(random()),
      host_(make_caf_host(w.observer)),
      clock_(std::make_shared<sim_clock>(*host_)),
      io_(std::make_shared<sim_io>(*host_, random.fork())),
      storage_(std::make_shared<storage_faults>()),
      files_(std::make_shared<sim_files>(w.files, storage_, random.fork())),
      net_id_(w.net->add(machine, *host_, id_, host_name(machine) + ":" + std::to_string(port))),
      connector_(std::make_unique<sim_connector>(*w.net, net_id_, port)) {
  host_->set_time(now);
}

process::~process() {
  storage_->dead = true;
  io_->drop_all();
  world_.net->remove(net_id_, !leave_in_order);
  client_ = nullptr;
  master_ = nullptr;
  task_manager_ = nullptr;
  host_.reset();
}

void process::start_node(const planned_machine& what, const configuration& config) {
  if (what.has_master) {
    master_options options;
    options.config = config;
    options.io = io_;
    options.files = files_;
    options.time = clock_;
    master_programs_ = std::make_shared<sim_programs>(world_.shelf, files_);
    options.programs = master_programs_;
    options.blob_directory = blob_directory(machine_) + "/jobmanager";
    options.seed = seed_;
    options.drop_connection = [this](const caf::node_id& node) { connector_->drop(node); };
    master_ = spawn_master(host_->system(), std::move(options));
    connector_->publish(master_);
  }
  if (what.has_task_manager) {
    programs_ = std::make_shared<sim_programs>(world_.shelf, files_);
    slots_ = what.slots;
    task_manager_options options;
    options.resource = id_;
    options.host = host_name(machine_);
    options.port = port;
    options.slots = what.slots;
    options.connector = connector_.get();
    options.master_host = host_name(0);
    options.master_port = port;
    options.master = master_;
    options.programs = programs_;
    options.io = io_;
    options.files = files_;
    options.time = clock_;
    options.backends =
        [files = std::shared_ptr<state_backend>(std::make_shared<layered_backend>()),
         memory = std::shared_ptr<state_backend>(std::make_shared<hashmap_state_backend>())](
            std::string_view type) -> result<std::shared_ptr<state_backend>> {
      return type == "rocksdb" ? files : memory;
    };
    options.blob_directory = blob_directory(machine_) + "/taskmanager";
    options.spill_directory = blob_directory(machine_) + "/spill";
    options.config = config;
    options.on_fatal = [this](const error&) { wants_to_end = true; };
    task_manager_ = spawn_task_manager(host_->system(), std::move(options));
    if (master_)
      attach_task_manager(master_, task_manager_);
    else
      connector_->publish(task_manager_);
  }
  static_cast<void>(connector_->listen());
}

void process::start_client() {
  client_ = spawn_client(host_->system(), *connector_, clock_, host_name(0), port, world_.desk);
}

void process::leave() {
  leaving = true;
  stop_task_manager(task_manager_);
}

bool process::has_left() const {
  return leaving && has_terminated(task_manager_);
}

bool process::has_lost_office() const {
  return master_ && has_terminated(master_);
}

}  // namespace millrace::sim
