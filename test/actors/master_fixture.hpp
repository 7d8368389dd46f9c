#pragma once

#include <doctest/doctest.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/master.hpp"
#include "millrace/actors/program_embedded.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "support/graphs.hpp"
#include "support/temporary_directory.hpp"

namespace millrace::test {

using namespace std::chrono_literals;

/// I/O that runs when the test says so.
class queued_io final : public io_backend {
 public:
  bool is_held = false;  ///< Nothing runs.

  void run(std::function<void()> job) override { jobs_.push_back(std::move(job)); }
  bool run_all() {
    if (is_held) return false;
    const bool any = !jobs_.empty();
    while (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      job();
    }
    return any;
  }
  /// What came last, held or not.
  void run_newest() {
    auto job = std::move(jobs_.back());
    jobs_.pop_back();
    job();
  }

 private:
  std::deque<std::function<void()>> jobs_;
};

/// A wall clock that stands still.
class fixed_clock final : public clock {
 public:
  std::chrono::steady_clock::time_point now() const noexcept override { return {}; }
  std::int64_t wall_ms() const noexcept override { return 1'700'000'000'000; }
};

/// What a fake task manager was told, and how it answers.
struct fake_task_manager {
  wire::register_task_manager self;
  caf::actor handle;
  caf::actor job_master;  ///< The latest that wanted a slot.
  std::vector<wire::allocate_slot> allocations;
  std::vector<bool> offer_answers;
  std::vector<wire::deploy_tasks> deployments;
  std::vector<execution_attempt_id> cancelled;
  std::vector<wire::free_slot> freed;
  std::vector<wire::align_watermarks> limits;
  std::vector<wire::coordinator_event> events;
  std::vector<wire::trigger_checkpoint> triggers;
  std::vector<wire::savepoint_target> targets;
  std::vector<wire::drain_sources> drains;
  std::vector<wire::checkpoint_complete> completions;
  std::vector<wire::checkpoint_aborted> aborts;
  bool offers = true;                   ///< Or keeps an allocation to itself.
  bool answers_deployments = true;      ///< Or says nothing to them.
  std::optional<error> deploy_failure;  ///< Refuses deployments.

  std::string address() const { return self.host + ":" + std::to_string(self.port); }
};

inline caf::behavior fake_task_manager_behavior(caf::event_based_actor* self,
                                                std::shared_ptr<fake_task_manager> tm) {
  self->set_default_handler(caf::drop);
  return {
      [=](const wire::allocate_slot& a, const caf::actor& job_master) {
        tm->allocations.push_back(a);
        tm->job_master = job_master;
        if (!tm->offers) return;
        self->request(job_master, 10s,
                      wire::offer_slot{a.job, a.allocation, tm->self.resource, tm->self.host,
                                       tm->self.port, a.registration},
                      caf::actor(self))
            .then([=](const wire::slot_offer_answer& answer) {
              tm->offer_answers.push_back(answer.accepted);
            });
      },
      [=](const wire::deploy_tasks& d) -> caf::result<wire::ack> {
        tm->deployments.push_back(d);
        if (!tm->answers_deployments) return self->make_response_promise();
        if (tm->deploy_failure) return to_caf(*tm->deploy_failure);
        return wire::ack{};
      },
      [=](const wire::cancel_tasks& c) {
        tm->cancelled.insert(tm->cancelled.end(), c.tasks.begin(), c.tasks.end());
      },
      [=](const wire::free_slot& f) { tm->freed.push_back(f); },
      [=](const wire::align_watermarks& l) { tm->limits.push_back(l); },
      [=](const wire::coordinator_event& e) { tm->events.push_back(e); },
      [=](const wire::trigger_checkpoint& t) { tm->triggers.push_back(t); },
      [=](const wire::savepoint_target& t) { tm->targets.push_back(t); },
      [=](const wire::drain_sources& d) { tm->drains.push_back(d); },
      [=](const wire::checkpoint_complete& c) { tm->completions.push_back(c); },
      [=](const wire::checkpoint_aborted& a) { tm->aborts.push_back(a); },
      [=](wire::cancel) { self->quit(); },
  };
}

/// A master in virtual time, with task managers that do what the test says.
class master_fixture {
  struct config : caf::actor_system_config {
    config() {
      wire::register_types(*this);
      set("scheduler.policy", caf::atom("testing"));
    }
  };

 public:
  temporary_directory directory;
  std::shared_ptr<queued_io> io = std::make_shared<queued_io>();
  std::shared_ptr<embedded_program_provider> programs =
      std::make_shared<embedded_program_provider>();
  config system_config;
  caf::actor_system system{system_config};
  caf::scheduler::test_coordinator& scheduler{
      dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())};
  caf::scoped_actor client{system};
  caf::actor dispatcher;
  caf::actor resource_manager;  ///< Known once a task manager has registered.
  std::vector<std::shared_ptr<fake_task_manager>> task_managers;
  std::vector<caf::node_id> dropped;
  std::shared_ptr<file_system> disk_of_masters;

  explicit master_fixture(
      const std::map<std::string, std::string>& settings = {},
      std::shared_ptr<file_system> files = std::make_shared<local_file_system>())
      : disk_of_masters(std::move(files)) {
    redirect_log([](log_level, std::string_view) {});
    spawn(settings);
  }

  /// A master that is reached as `dispatcher`; one that there was before goes on by itself.
  void spawn(const std::map<std::string, std::string>& settings) {
    master_options options;
    for (const auto& [key, value] : settings) REQUIRE(options.config.set(key, value, "test"));
    REQUIRE(options.config.set("heartbeat.interval", "1 s", "test"));
    REQUIRE(options.config.set("heartbeat.timeout", "10 s", "test"));
    REQUIRE(options.config.set("slot.request.timeout", "5 min", "test"));
    REQUIRE(options.config.set("task.cancellation.timeout", "3 min", "test"));
    options.io = io;
    options.files = disk_of_masters;
    options.time = std::make_shared<fixed_clock>();
    options.programs = programs;
    options.blob_directory = directory.path("blobs");
    options.seed = ++seed;
    options.drop_connection = [this](const caf::node_id& n) { dropped.push_back(n); };
    dispatcher = spawn_master(system, std::move(options));
    run();
  }

  ~master_fixture() {
    for (auto& tm : task_managers) {
      caf::anon_send_exit(tm->handle, caf::exit_reason::kill);
      tm->job_master = nullptr;
      tm->handle = nullptr;
    }
    stop_master(dispatcher);
    run();
    pass(6s);
    pass(6s);
    dispatcher = nullptr;
    resource_manager = nullptr;
    run();
    redirect_log({});
  }

  /// Until nothing moves any more; time stands still.
  void run() {
    do scheduler.run();
    while (io->run_all());
  }

  /// Time passes, in steps of 100 ms.
  void pass(std::chrono::milliseconds time) {
    for (; time > 0ms; time -= 100ms) {
      scheduler.advance_time(std::min(time, 100ms));
      run();
    }
  }

  /// Time passes, in which all task managers but those named send heartbeats.
  void pass_with_heartbeats(std::chrono::milliseconds time,
                            const fake_task_manager* silent = nullptr) {
    for (; time > 0ms; time -= 1s) {
      for (auto& tm : task_managers)
        if (tm.get() != silent && tm->handle) beat(*tm);
      pass(std::min<std::chrono::milliseconds>(time, 1s));
    }
  }

  template <class Answer, class... Request>
  result<Answer> ask(const caf::actor& whom, Request... request) {
    result<Answer> answer = fail(errc::internal, "no answer");
    auto asked = client->request(whom, caf::infinite, std::move(request)...);
    run();
    asked.receive([&](Answer& a) { answer = std::move(a); },
                  [&](const caf::error& e) { answer = tl::unexpected(from_caf(e)); });
    return answer;
  }
  template <class Answer, class Request>
  result<Answer> ask(Request request) {
    return ask<Answer>(dispatcher, std::move(request));
  }

  std::shared_ptr<fake_task_manager> add_task_manager(std::uint32_t slots) {
    auto tm = std::make_shared<fake_task_manager>();
    const auto n = task_managers.size() + 1;
    tm->self.resource = {n, n};
    tm->self.host = "worker" + std::to_string(n);
    tm->self.port = static_cast<std::uint16_t>(7000 + n);
    tm->self.pid = 100 + n;
    for (std::uint32_t i = 0; i < slots; ++i) tm->self.slots.push_back({i, {}, {}});
    tm->handle = system.spawn(fake_task_manager_behavior, tm);
    task_managers.push_back(tm);
    REQUIRE(register_at_master(*tm));
    return tm;
  }

  result<wire::registration> register_at_master(fake_task_manager& tm) {
    result<wire::registration> answer = fail(errc::internal, "no answer");
    auto asked = client->request(dispatcher, caf::infinite, tm.self, tm.handle);
    run();
    asked.receive(
        [&](const wire::registration& r) {
          answer = r;
          // The answer comes from whom the dispatcher has passed the request on to.
          resource_manager = caf::actor_cast<caf::actor>(client->current_sender());
        },
        [&](const caf::error& e) { answer = tl::unexpected(from_caf(e)); });
    if (answer) epoch = answer->master_epoch;
    return answer;
  }

  /// A heartbeat that reports the slots in `tm.self`, those it has granted included.
  wire::heartbeat_answer beat(fake_task_manager& tm) {
    wire::heartbeat b{tm.self.resource, epoch, ++beats, tm.self.slots};
    if (!tm.allocations.empty()) b.grants_seen = tm.allocations.back().number;
    return ask<wire::heartbeat_answer>(resource_manager, b).value();
  }
  /// From now on its heartbeats say that it holds all that it was allocated.
  void hold_allocations(fake_task_manager& tm) {
    for (const auto& a : tm.allocations) tm.self.slots[a.slot] = {a.slot, a.allocation, a.job};
  }
  void free_slots(fake_task_manager& tm) {
    for (const auto& a : tm.allocations) {
      tm.self.slots[a.slot] = {a.slot, {}, {}};
      caf::anon_send(resource_manager,
                     wire::slot_freed{tm.self.resource, epoch, a.slot, a.allocation});
    }
    tm.allocations.clear();
    run();
  }
  void kill(fake_task_manager& tm) {
    caf::anon_send(tm.handle, wire::cancel{});
    tm.handle = nullptr;
    run();
  }

  job_id submit(std::uint32_t parallelism = 2, std::string name = "test job") {
    auto graph = job_of(word_count(), parallelism);
    graph.name = std::move(name);
    return ask<wire::job_submitted>(wire::submit_job{std::move(graph)}).value().job;
  }

  template <class Message>
  void report(const fake_task_manager& tm, Message change) {
    REQUIRE(tm.job_master);
    caf::anon_send(tm.job_master, std::move(change));
    run();
  }
  /// All tasks deployed at `tm` reach the state.
  void report_all(const fake_task_manager& tm, graph::execution_state state) {
    const auto deployments = tm.deployments;
    for (const auto& d : deployments)
      for (const auto& t : d.tasks) {
        wire::task_state_changed change;
        change.task = t.task;
        change.report.task = t.task;
        change.state = state;
        report(tm, std::move(change));
      }
  }

  /// The result that was sent to the client since it watches the job.
  std::optional<wire::job_result> result_of_watched_job() {
    run();
    std::optional<wire::job_result> found;
    client->receive([&](wire::job_result& r) { found = std::move(r); }, caf::after(0s) >> [] {});
    return found;
  }
  std::vector<wire::node_overview> nodes() {
    return ask<wire::node_list>(wire::list_nodes{}).value().nodes;
  }
  std::vector<wire::job_overview> jobs() {
    return ask<wire::job_list>(wire::list_jobs{}).value().jobs;
  }
  wire::job_details describe(const job_id& job) {
    return ask<wire::job_details>(wire::describe_job{job}).value();
  }

  std::uint64_t seed = 6;
  std::uint64_t epoch = 0;
  std::uint64_t beats = 0;
};

}  // namespace millrace::test
