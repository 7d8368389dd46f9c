#pragma once

#include <caf/actor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/configuration.hpp"
#include "sim/client.hpp"
#include "sim/network.hpp"
#include "sim/plan.hpp"
#include "sim/process_parts.hpp"

namespace millrace::sim {

/// What all processes of a run share.
struct world {
  network* net = nullptr;
  std::shared_ptr<test::memory_files> files = std::make_shared<test::memory_files>();
  std::shared_ptr<program_shelf> shelf = std::make_shared<program_shelf>();
  std::shared_ptr<client_desk> desk = std::make_shared<client_desk>();
  message_observer* observer = nullptr;
};

/// One life of a process on a machine: a host and the engine's own actors on it, started as
/// `caf-node` starts them. Destroying it is kill -9.
class process {
 public:
  static constexpr std::uint16_t port = 6123;

  process(world& w, std::size_t machine, time_point now, random_source random);
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  void start_node(const planned_machine& what, const configuration& config);
  void start_client();
  /// The task manager leaves in order; has_left() then says when it is gone.
  void leave();
  bool has_left() const;
  /// Whether its master has ended by itself, since another process has taken over.
  bool has_lost_office() const;

  sim_host& host() { return *host_; }
  const sim_host& host() const { return *host_; }
  sim_io& io() { return *io_; }
  const sim_io& io() const { return *io_; }
  storage_faults& storage() { return *storage_; }
  std::size_t machine() const { return machine_; }
  network::process_id net_id() const { return net_id_; }
  const resource_id& id() const { return id_; }
  const caf::actor& client() const { return client_; }
  bool has_task_manager() const { return task_manager_ != nullptr; }
  bool has_master() const { return master_ != nullptr; }
  std::uint32_t slots() const { return slots_; }
  std::size_t programs_loaded() const {
    return (programs_ ? programs_->loaded_count() : 0) +
           (master_programs_ ? master_programs_->loaded_count() : 0);
  }

  static std::string host_name(std::size_t machine) { return "n" + std::to_string(machine); }
  static std::string blob_directory(std::size_t machine) {
    return "/" + host_name(machine) + "/blobs";
  }

  // What the simulation notes about it.
  bool paused = false;
  bool leaving = false;
  bool leave_in_order = false;  // it was gone by itself: nothing of what it wrote is lost
  bool wants_to_end = false;    // on_fatal
  bool broker_may_run = true;
  duration timer_delay{0};  // now
  duration timer_delay_max{0};

 private:
  world& world_;
  std::size_t machine_;
  resource_id id_;
  std::uint64_t seed_;
  std::unique_ptr<sim_host> host_;
  std::shared_ptr<sim_clock> clock_;
  std::shared_ptr<sim_io> io_;
  std::shared_ptr<storage_faults> storage_;
  std::shared_ptr<sim_files> files_;
  std::shared_ptr<sim_programs> programs_;
  std::shared_ptr<sim_programs> master_programs_;  // of the job masters
  network::process_id net_id_;
  std::unique_ptr<sim_connector> connector_;
  caf::actor master_;
  caf::actor task_manager_;
  caf::actor client_;
  std::uint32_t slots_ = 0;
};

}  // namespace millrace::sim
