#include "millrace/actors/task_manager.hpp"

#include <doctest/doctest.h>

#include <caf/all.hpp>
#include <optional>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/program_embedded.hpp"
#include "millrace/api/plan.hpp"
#include "millrace/core/logging.hpp"
#include "support/caf/actor_world.hpp"
#include "support/number_source.hpp"
#include "support/temporary_directory.hpp"

namespace task_manager_test {

using namespace millrace;
using namespace std::chrono_literals;
using graph::execution_state;
using millrace::test::actor_world;

namespace {

/// Plays the master and the job masters, and keeps what they are told.
struct master_log {
  std::vector<wire::register_task_manager> registrations;
  std::vector<wire::heartbeat> heartbeats;
  std::vector<wire::slot_freed> freed;
  std::vector<wire::offer_slot> offers;
  std::vector<wire::task_state_changed> states;
  std::vector<wire::task_reports> reports;
  std::vector<wire::peer_hello> hellos;
  caf::actor task_manager;
  bool accepts_offers = true;
  bool answers_heartbeats = true;
  bool allocates_early = false;
};

caf::behavior fake_master(caf::event_based_actor* self, std::shared_ptr<master_log> log) {
  self->set_default_handler(caf::drop);
  return {
      [log, self](const wire::register_task_manager& m, const caf::actor& tm) {
        log->registrations.push_back(m);
        log->task_manager = tm;
        if (log->allocates_early)
          self->send(tm, wire::allocate_slot{77, 1, {2, 1}, {1, 1}}, caf::actor(self));
        return wire::registration{77, 100, 300};
      },
      [log, self](const wire::heartbeat& m) {
        log->heartbeats.push_back(m);
        if (log->answers_heartbeats)
          self->send(log->task_manager, wire::heartbeat_answer{m.master_epoch, m.sequence});
      },
      [log](const wire::slot_freed& m) { log->freed.push_back(m); },
      [log](const wire::offer_slot& m, const caf::actor&) {
        log->offers.push_back(m);
        return wire::slot_offer_answer{log->accepts_offers};
      },
      [log](const wire::task_state_changed& m) { log->states.push_back(m); },
      [log](const wire::task_reports& m) { log->reports.push_back(m); },
      [log](const wire::peer_hello& m, const caf::actor&) { log->hellos.push_back(m); },
  };
}

/// Dials that the test answers.
class fake_connector final : public transport::connector {
 public:
  struct call {
    std::string host;
    std::uint16_t port = 0;
    dial_callback done;
  };

  void publish(const caf::actor&) override {}
  result<std::uint16_t> listen() override { return std::uint16_t{1}; }
  void dial(std::string host, std::uint16_t port, std::chrono::milliseconds,
            dial_callback done) override {
    calls.push_back({std::move(host), port, std::move(done)});
  }
  void drop(const caf::node_id&) override { ++drops; }

  std::vector<call> calls;
  int drops = 0;
};

struct node : actor_world {
  std::shared_ptr<master_log> log = std::make_shared<master_log>();
  std::shared_ptr<embedded_program_provider> programs =
      std::make_shared<embedded_program_provider>();
  fake_connector connector;
  caf::actor master = system.spawn(fake_master, log);
  caf::actor task_manager;
  std::shared_ptr<local_copies> copies;  // none unless a test has set them
  const resource_id self{0, 5};
  const job_id job{1, 1};
  const allocation_id slot{2, 1};

  ~node() {
    stop_task_manager(task_manager);
    settle();
    end(master);
  }
  void end(const caf::actor& a) {
    caf::anon_send_exit(a, caf::exit_reason::kill);
    settle();
  }

  void start(bool embedded = true) {
    task_manager_options o;
    o.resource = self;
    o.host = "here";
    o.port = 5;
    o.slots = 2;
    if (embedded) {
      o.master = master;
    } else {
      o.master_host = "master";
      o.master_port = 6123;
    }
    o.connector = &connector;
    o.programs = programs;
    o.io = io;
    o.files = std::make_shared<local_file_system>();
    o.time = time;
    o.blob_directory = "/nonexistent";
    o.copies = copies;
    task_manager = spawn_task_manager(system, std::move(o));
    settle();
  }
  template <class... Ts>
  void tell(Ts... what) {
    caf::send_as(master, task_manager, std::move(what)...);
    settle();
  }
  void answer_dial(std::size_t index, result<transport::peer> outcome) {
    connector.calls.at(index).done(std::move(outcome));
    settle();
  }
  transport::peer the_master() {
    return {{9, 9},
            "master:6123",
            *caf::make_node_id(1, "0123456789abcdef0123456789abcdef01234567"),
            caf::actor_cast<caf::strong_actor_ptr>(master)};
  }
  void allocate(std::uint32_t index = 0) {
    tell(wire::allocate_slot{77, index, slot, job}, master);
  }
  /// Two vertices of one subtask each.
  wire::deploy_tasks deployment(std::function<void(stream_environment&, const arguments&)> build) {
    auto plan = make_plan(build, arguments(), configuration());
    REQUIRE(plan);
    wire::deploy_tasks d;
    d.job = job;
    d.graph = plan->graph;
    programs->add(d.graph, plan->program);
    d.peers = {{self, "here", 5}};
    for (std::uint32_t v = 0; v < d.graph.vertices.size(); ++v) {
      d.placements.push_back({v, 0, 0, 0});
      d.tasks.push_back({{job, v, 0, 0}, slot});
    }
    return d;
  }
  /// The error with which the request was answered, if it was.
  template <class... Ts>
  std::optional<error> request(Ts... what) {
    caf::scoped_actor asker(system);
    auto pending = asker->request(task_manager, caf::infinite, std::move(what)...);
    settle();
    std::optional<error> refused;
    pending.receive([](const wire::ack&) {}, [&](const caf::error& e) { refused = from_caf(e); });
    return refused;
  }
  std::vector<execution_state> states_of(std::uint32_t vertex) const {
    std::vector<execution_state> all;
    for (const auto& s : log->states)
      if (s.task.vertex == vertex) all.push_back(s.state);
    return all;
  }
  const wire::task_state_changed& last_state() const { return log->states.back(); }
};

void small_job(stream_environment& env, const arguments&) {
  env.add_source(test::number_source{1, 10'000}, "numbers", boundedness::bounded)
      .rebalance()
      .map([](const std::int64_t& n) { return n; })
      .discard();
}

void endless_job(stream_environment& env, const arguments&) {
  env.from_generator([](const std::uint64_t& n) { return n; }, {.count = {}, .per_second = 1000.0})
      .rebalance()
      .discard();
}

const auto whole_life =
    std::vector{execution_state::initializing, execution_state::running, execution_state::finished};

}  // namespace

TEST_CASE("A task manager registers and beats") {
  node n;
  n.start();
  REQUIRE(n.log->registrations.size() == 1);
  CHECK(n.log->registrations[0].slots.size() == 2);
  n.pass(350ms);
  CHECK(n.log->heartbeats.size() == 3);
  CHECK(n.log->heartbeats.back().master_epoch == 77);
}

TEST_CASE("A task manager that finds no master keeps looking, with pauses") {
  node n;
  n.start(false);
  REQUIRE(n.connector.calls.size() == 1);
  CHECK(n.connector.calls[0].host == "master");
  n.answer_dial(0, fail(errc::connection_refused, "refused"));
  CHECK(n.connector.calls.size() == 1);
  n.pass(101ms);
  REQUIRE(n.connector.calls.size() == 2);
  n.answer_dial(1, fail(errc::connection_refused, "refused"));
  n.pass(101ms);
  CHECK(n.connector.calls.size() == 2);
  n.pass(100ms);
  REQUIRE(n.connector.calls.size() == 3);
  n.answer_dial(2, n.the_master());
  CHECK(n.log->registrations.size() == 1);
}

TEST_CASE("A lost master is dialed again, and its slots are free by then") {
  node n;
  n.start(false);
  n.answer_dial(0, n.the_master());
  n.allocate();
  REQUIRE_FALSE(n.request(n.deployment(endless_job)));

  SUBCASE("when its connection breaks") {
    n.end(n.master);
  }
  SUBCASE("when it does not answer for the heartbeat timeout") {
    n.log->answers_heartbeats = false;
    n.pass(400ms);
    CHECK(n.connector.drops == 1);
  }
  n.master = n.system.spawn(fake_master, n.log);
  n.log->answers_heartbeats = true;
  n.pass(101ms);
  REQUIRE(n.connector.calls.size() == 2);
  n.answer_dial(1, n.the_master());
  REQUIRE(n.log->registrations.size() == 2);
  for (const auto& s : n.log->registrations[1].slots) CHECK_FALSE(s.allocation);
  // Had it been freed only after the registration was written, the master would not know.
  REQUIRE(n.log->freed.size() == 1);
  CHECK(n.log->freed[0].allocation == n.slot);
}

TEST_CASE("A slot is offered to the job's master and freed when it does not want it") {
  node n;
  n.start();
  SUBCASE("it wants it") {
    n.allocate(1);
    REQUIRE(n.log->offers.size() == 1);
    CHECK(n.log->offers[0].resource == n.self);
    CHECK(n.log->freed.empty());
  }
  SUBCASE("it does not") {
    n.log->accepts_offers = false;
    n.allocate(1);
    REQUIRE(n.log->freed.size() == 1);
    CHECK(n.log->freed[0].slot == 1);
  }
  SUBCASE("the request is from another life of the master") {
    n.tell(wire::allocate_slot{78, 1, n.slot, n.job}, n.master);
    CHECK(n.log->offers.empty());
  }
}

TEST_CASE("A slot that is asked for before the registration is answered is offered too") {
  node n;
  n.log->allocates_early = true;
  n.start();
  CHECK(n.log->offers.size() == 1);
}

TEST_CASE("A whole job runs on one task manager") {
  node n;
  n.start();
  n.allocate();
  REQUIRE_FALSE(n.request(n.deployment(small_job)));
  CHECK(n.states_of(0) == whole_life);
  CHECK(n.states_of(1) == whole_life);
  CHECK(n.last_state().report.operators.at(0).rows_in == 10'000);
  n.tell(wire::free_slot{n.job, n.slot, false});
  CHECK(n.log->freed.size() == 1);
}

TEST_CASE("Tasks for a slot that is not the job's are refused") {
  node n;
  n.start();
  auto d = n.deployment(small_job);
  const auto refused = n.request(d);
  REQUIRE(refused);
  CHECK(refused->code == errc::stale);
  n.allocate();
  d.job = {3, 3};
  CHECK(n.request(d));
  CHECK(n.log->states.empty());
}

TEST_CASE("A task attempt is deployed only once") {
  node n;
  n.start();
  n.allocate();
  const auto d = n.deployment(endless_job);
  REQUIRE_FALSE(n.request(d));
  const auto refused = n.request(d);
  REQUIRE(refused);
  CHECK(refused->code == errc::stale);
}

TEST_CASE("A job whose program cannot be had fails all its tasks with the reason") {
  node n;
  n.start();
  n.allocate();
  auto d = n.deployment(small_job);
  d.graph.arguments.clear();
  REQUIRE_FALSE(n.request(d));
  CHECK(n.states_of(0) == std::vector{execution_state::failed});
  CHECK(n.states_of(1) == std::vector{execution_state::failed});
  CHECK(n.last_state().cause->message.find("is not in this process") != std::string::npos);
}

TEST_CASE("Tasks are cancelled on demand and report it") {
  node n;
  n.start();
  n.allocate();
  const auto d = n.deployment(endless_job);
  REQUIRE_FALSE(n.request(d));
  n.pass(20ms);
  wire::cancel_tasks cancel;
  for (const auto& t : d.tasks) cancel.tasks.push_back(t.task);
  n.tell(cancel);
  CHECK(n.states_of(0).back() == execution_state::canceled);
  CHECK(n.states_of(1).back() == execution_state::canceled);
}

TEST_CASE("A slot that is taken away is free only when its tasks are gone") {
  node n;
  n.start();
  n.allocate();
  REQUIRE_FALSE(n.request(n.deployment(endless_job)));
  n.tell(wire::free_slot{n.job, n.slot, false});
  CHECK(n.states_of(1).back() == execution_state::canceled);
  CHECK(n.log->freed.size() == 1);
}

TEST_CASE("Copies of state stay where only a slot is given back, and go where their job ends") {
  const test::temporary_directory disk;
  node n;
  disk.write(to_string(n.job) + "/chk-1/v0-s0-a0.state", "state");
  n.copies = std::make_shared<local_copies>(std::make_shared<local_file_system>(), disk.path());
  n.copies->recover(n.time->now());
  n.start();
  for (const bool goes_on : {true, false}) {
    n.allocate();
    CHECK(n.log->offers.back().kept.size() == 1);
    n.tell(wire::free_slot{n.job, n.slot, goes_on});
    CHECK(n.copies->copies_of(n.job).subtasks.empty() != goes_on);
  }
  CHECK(n.log->freed.size() == 2);
}

TEST_CASE("When a job's master dies its tasks are cancelled and its slots freed") {
  node n;
  n.start();
  const auto job_log = std::make_shared<master_log>();
  const auto job_master = n.system.spawn(fake_master, job_log);
  n.tell(wire::allocate_slot{77, 0, n.slot, n.job}, job_master);
  REQUIRE_FALSE(n.request(n.deployment(endless_job)));
  n.pass(20ms);
  n.end(job_master);
  REQUIRE(n.log->freed.size() == 1);
  n.pass(200ms);
  for (const auto& s : n.log->heartbeats.back().slots) CHECK_FALSE(s.allocation);
}

TEST_CASE("A task manager in which chaos is not enabled kills nobody, whoever asks it to") {
  node n;
  n.start();
  n.allocate();
  const auto d = n.deployment(endless_job);
  REQUIRE_FALSE(n.request(d));
  wire::kill_actor kill;
  kill.task = d.tasks.front().task;
  for (const auto target : {wire::chaos_target::task, wire::chaos_target::task_manager}) {
    kill.target = target;
    const auto refused = n.request(kill);
    REQUIRE(refused);
    CHECK(*refused == error{errc::invalid_config,
                            "task manager here:5 is not in tests: debug.chaos.enabled is not set "
                            "there"});
  }
  n.pass(20ms);
  CHECK(n.states_of(0).back() == execution_state::running);
}

TEST_CASE("Tasks report regularly while they run") {
  node n;
  n.start();
  n.allocate();
  REQUIRE_FALSE(n.request(n.deployment(endless_job)));
  n.pass(1100ms);
  REQUIRE_FALSE(n.log->reports.empty());
  CHECK(n.log->reports.back().reports.size() == 2);
  CHECK(n.log->reports.back().resource == n.self);
}

TEST_CASE("A task waits for the task manager of its producer, and fails when that is lost") {
  node n;
  n.start(false);
  n.answer_dial(0, n.the_master());
  n.allocate();
  const resource_id other{0, 9};
  auto d = n.deployment(small_job);
  d.peers.push_back({other, "there", 9});
  d.placements[0].peer = 1;  // the source is elsewhere
  d.tasks.erase(d.tasks.begin());
  REQUIRE_FALSE(n.request(d));
  REQUIRE(n.connector.calls.size() == 2);  // the master, and the peer: our id is the smaller one
  CHECK(n.connector.calls[1].host == "there");
  CHECK(n.log->states.empty());

  const auto peer_log = std::make_shared<master_log>();
  const auto peer = n.system.spawn(fake_master, peer_log);
  n.answer_dial(
      1, transport::peer{other, "there:9", {}, caf::actor_cast<caf::strong_actor_ptr>(peer)});
  REQUIRE(peer_log->hellos.size() == 1);
  n.tell(wire::peer_hello{other, false}, peer);
  CHECK(n.states_of(1) == std::vector{execution_state::initializing, execution_state::running});

  n.end(peer);
  REQUIRE(n.last_state().state == execution_state::failed);
  CHECK(n.last_state().cause->code == errc::task_manager_lost);
  CHECK(n.last_state().cause->message == "lost connection to task manager there:9");
}

TEST_CASE("A connection that comes when nobody waits for it any more is ended") {
  node n;
  n.start(false);
  n.answer_dial(0, n.the_master());
  n.allocate();
  auto d = n.deployment(small_job);
  d.peers.push_back({{0, 9}, "there", 9});
  d.placements[0].peer = 1;
  d.tasks.erase(d.tasks.begin());
  REQUIRE_FALSE(n.request(d));
  REQUIRE(n.connector.calls.size() == 2);
  for (int i = 0; i < 110 && n.log->states.empty(); ++i) n.pass(100ms);
  REQUIRE(n.last_state().state == execution_state::failed);
  const auto drops = n.connector.drops;
  const auto peer = n.system.spawn(fake_master, std::make_shared<master_log>());
  n.answer_dial(
      1, transport::peer{{0, 9}, "there:9", {}, caf::actor_cast<caf::strong_actor_ptr>(peer)});
  CHECK(n.connector.drops == drops + 1);
  n.end(peer);
}

TEST_CASE("Handles that mean nothing do no harm") {
  node n;
  n.start();
  const caf::actor nobody;
  n.tell(wire::allocate_slot{77, 0, n.slot, n.job}, nobody);
  n.tell(wire::peer_hello{{3, 3}, true}, nobody);
  n.tell(wire::open_channel{{n.job, 0, 0, 0}, {n.job, 1, 0, 0}, 0, 1024}, nobody);
  n.allocate();
  CHECK(n.log->offers.size() == 1);
}

TEST_CASE("Requests for channels end with their job") {
  node n;
  std::vector<std::string> lines;
  redirect_log([&](log_level, std::string_view line) { lines.emplace_back(line); });
  n.start();
  n.allocate();
  n.tell(wire::open_channel{{n.job, 0, 0, 0}, {n.job, 1, 0, 0}, 0, 1024}, n.master);
  n.tell(wire::free_slot{n.job, n.slot, false});
  n.pass(61s);
  redirect_log({});
  for (const auto& line : lines) CHECK(line.find("nobody came") == line.npos);
}

TEST_CASE("A task whose producer's task manager cannot be reached fails and says why") {
  node n;
  n.start(false);
  n.answer_dial(0, n.the_master());
  n.allocate();
  auto d = n.deployment(small_job);
  d.peers.push_back({{0, 9}, "there", 9});
  d.placements[0].peer = 1;
  d.tasks.erase(d.tasks.begin());
  REQUIRE_FALSE(n.request(d));
  for (std::size_t dial = 1; n.log->states.empty() && dial < 100; ++dial) {
    for (int i = 0; i < 2000 && n.connector.calls.size() <= dial && n.log->states.empty(); ++i)
      n.pass(1ms);
    if (n.connector.calls.size() > dial)
      n.answer_dial(dial, fail(errc::connection_refused, "connection refused"));
  }
  REQUIRE_FALSE(n.log->states.empty());
  CHECK(n.last_state().cause->message ==
        "cannot connect to task manager there:9: connection refused");
}

}  // namespace task_manager_test
