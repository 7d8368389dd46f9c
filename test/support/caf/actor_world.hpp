#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/io.hpp"

namespace millrace::test {

/// I/O that happens when the test says so.
class manual_io final : public io_backend {
 public:
  void run(std::function<void()> job) override { jobs.push_back(std::move(job)); }
  bool run_one() {
    if (jobs.empty()) return false;
    auto job = std::move(jobs.front());
    jobs.pop_front();
    job();
    return true;
  }

  std::deque<std::function<void()>> jobs;
};

/// The virtual time of an actor system under test.
class virtual_clock final : public clock {
 public:
  explicit virtual_clock(caf::actor_system& system) : system_(system) {}
  std::chrono::steady_clock::time_point now() const noexcept override {
    return system_.clock().now();
  }
  std::int64_t wall_ms() const noexcept override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
  }

 private:
  caf::actor_system& system_;
};

/// An actor system in this thread: nothing happens but in settle() and pass().
class actor_world {
 public:
  struct config : caf::actor_system_config {
    config() {
      set("scheduler.policy", caf::atom("testing"));
      set("logger.inline-output", true);
      set("logger.file-verbosity", caf::atom("quiet"));
      set("logger.console-verbosity", caf::atom("quiet"));
      wire::register_types(*this);
    }
  };

  actor_world()
      : system(config_),
        io(std::make_shared<manual_io>()),
        time(std::make_shared<virtual_clock>(system)) {}

  /// Runs all messages and I/O until nothing is left to do at this point of time.
  void settle() {
    while (scheduler().try_run_once() || io->run_one()) {
    }
  }
  /// Lets time pass, in small steps.
  void pass(std::chrono::milliseconds span) {
    constexpr std::chrono::milliseconds step{1};
    settle();
    for (auto gone = std::chrono::milliseconds(0); gone < span; gone += step) {
      scheduler().advance_time(step);
      settle();
    }
  }

 private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  config config_;

 public:
  caf::actor_system system;
  std::shared_ptr<manual_io> io;
  std::shared_ptr<const clock> time;
};

}  // namespace millrace::test
