#include "millrace/actors/task_actor.hpp"

#include <doctest/doctest.h>

#include <caf/all.hpp>
#include <stdexcept>

#include "millrace/actors/local_messages.hpp"
#include "millrace/api/iterative_stream.hpp"
#include "millrace/api/plan.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/graph/channels.hpp"
#include "support/caf/actor_world.hpp"
#include "support/number_source.hpp"
#include "support/temporary_directory.hpp"

namespace task_actor_test {

using namespace millrace;
using graph::execution_state;
using millrace::test::actor_world;

namespace {

/// What the surroundings of a task have received, in order.
struct seen {
  std::vector<wire::task_state_changed> states;
  std::vector<wire::task_report> reports;
  std::vector<wire::open_channel> opens;
  std::vector<wire::channel_opened> opened;
  std::vector<wire::channel_element> elements;
  std::vector<wire::channel_credit> credits;
  std::vector<wire::alignment_reached> alignments;
  std::vector<wire::iteration_reported> iterations;
  caf::actor opener;
  caf::actor producer;

  std::uint64_t rows() const {
    std::uint64_t n = 0;
    for (const auto& e : elements)
      if (const auto* b = std::get_if<record_batch>(&e.what)) n += b->rows->size();
    return n;
  }
  bool ended() const {
    return !elements.empty() && std::holds_alternative<end_of_input>(elements.back().what);
  }
};

caf::behavior recorder(caf::event_based_actor* self, std::shared_ptr<seen> log) {
  self->set_default_handler(caf::drop);
  return {
      [log](const wire::task_state_changed& m) { log->states.push_back(m); },
      [log](const local::task_reported& m) { log->reports.push_back(m.report); },
      [log](const wire::open_channel& m, const caf::actor& a) {
        log->opens.push_back(m);
        log->opener = a;
      },
      [log, self](const wire::channel_opened& m) {
        log->opened.push_back(m);
        log->producer = caf::actor_cast<caf::actor>(self->current_sender());
      },
      [log](const wire::channel_element& m) { log->elements.push_back(m); },
      [log](const wire::channel_credit& m) { log->credits.push_back(m); },
      [log](const wire::alignment_reached& m) { log->alignments.push_back(m); },
      [log](const wire::iteration_reported& m) { log->iterations.push_back(m); },
  };
}

/// Spawns a task as its task manager would.
struct host : actor_world {
  std::shared_ptr<seen> log = std::make_shared<seen>();
  caf::actor surroundings = system.spawn(recorder, log);
  job_plan plan;
  task_options options;
  std::uint64_t window = 1 << 20;
  caf::actor task;
  execution_attempt_id id;
  std::optional<wire::restore_point> restore;
  std::shared_ptr<test::manual_io> slow_io;  ///< The task's, if it is to wait for it.

  explicit host(const std::function<void(stream_environment&, const arguments&)>& build) {
    auto planned = make_plan(build, arguments(), configuration());
    REQUIRE_MESSAGE(planned, (planned ? std::string() : planned.error().message));
    plan = *planned;
  }
  ~host() {
    caf::anon_send(task, wire::cancel{});
    settle();
    caf::anon_send_exit(surroundings, caf::exit_reason::kill);
    settle();
  }

  void spawn(std::uint32_t vertex) {
    id = {{1, 1}, vertex, 0, 3};
    task_setup setup;
    setup.id = id;
    setup.graph = std::make_shared<const graph::job_graph>(plan.graph);
    setup.program = plan.program;
    setup.options = options;
    for (const auto& in : graph::input_channels(plan.graph, vertex, 0))
      setup.inputs.push_back(
          {{id.job, in.source_vertex, in.source_subtask, 3}, in.edge, surroundings, "there:1"});
    setup.channel_bytes = window;
    setup.open_timeout = std::chrono::milliseconds(100);
    setup.task_manager = surroundings;
    setup.io = slow_io ? slow_io : io;
    setup.files = std::make_shared<local_file_system>();
    setup.restore = restore;
    if (restore)
      setup.restored_from = std::make_shared<restore_source>(setup.files, restore->location);
    setup.time = time;
    system.spawn([this, setup](caf::event_based_actor* self) mutable {
      task = spawn_task(*self, std::move(setup));
      self->send(task, local::start_task{});
    });
    settle();
  }
  template <class... Ts>
  void tell(Ts... what) {
    caf::send_as(surroundings, task, std::move(what)...);
    settle();
  }
  void open_output(std::uint64_t credit) {
    const auto& edge = plan.graph.edges.at(0);
    tell(wire::open_channel{id, {id.job, edge.target_vertex, 0, 3}, edge.id, credit}, surroundings);
  }
  std::vector<execution_state> states() const {
    std::vector<execution_state> all;
    for (const auto& s : log->states) all.push_back(s.state);
    return all;
  }
};

void numbers_to_nowhere(stream_environment& env, const arguments&) {
  env.add_source(test::number_source{1, 1000}, "numbers", boundedness::bounded)
      .rebalance()
      .map([](const std::int64_t& n) { return n; })
      .discard();
}

void no_more_than_7(stream_environment& env, const arguments&) {
  env.from_sequence(1, 1000)
      .rebalance()
      .map([](const std::int64_t& n) {
        if (n > 7) throw std::runtime_error("too large: " + std::to_string(n));
        return n;
      })
      .name("careful")
      .discard();
}

/// Wants a file that is not there.
struct needs_a_table final : process_function<std::int64_t, std::int64_t> {
  void open(runtime_context&) override {
    throw failure(errc::not_found, "there is no '/tables/prices'");
  }
  void process_element(const std::int64_t&, process_context&, collector<std::int64_t>&) override {}
};

void numbers_by_table(stream_environment& env, const arguments&) {
  env.from_sequence(1, 1000).rebalance().process(needs_a_table{}).name("prices").discard();
}

/// A watermark at every record.
struct always_ahead {
  void on_event(const std::int64_t&, timestamp_ms timestamp, watermark_output& out) {
    out.emit_watermark(timestamp);
  }
  void on_periodic_emit(watermark_output&) {}
};

element numbers(std::int64_t first, std::int64_t count, std::uint64_t charge) {
  auto* rows = new typed_batch<std::int64_t>;
  batch_ptr owner(rows);
  for (std::int64_t i = 0; i < count; ++i) rows->rows.push_back(first + i);
  return record_batch{owner, charge};
}

}  // namespace

TEST_CASE("A task that still reads its state answers who opens a channel") {
  host h(numbers_to_nowhere);
  h.slow_io = std::make_shared<test::manual_io>();
  h.restore = wire::restore_point{{1}, "/no such place"};
  h.spawn(0);
  CHECK(h.states() == std::vector{execution_state::initializing});
  h.open_output(1000);
  CHECK(h.log->opened.size() == 1);
  CHECK(h.log->elements.empty());
  while (h.slow_io->run_one()) h.settle();
  CHECK(h.states().back() == execution_state::failed);
}

TEST_CASE("A source task emits within its credit, then waits for more, then finishes") {
  host h(numbers_to_nowhere);
  h.options.batches.rows = 100;
  h.spawn(0);
  CHECK(h.states() == std::vector{execution_state::initializing, execution_state::running});
  CHECK(h.log->elements.empty());

  const auto charge_of = [&](std::size_t i) {
    const auto* data = std::get_if<record_batch>(&h.log->elements.at(i).what);
    return data ? data->charge : 0;
  };
  h.open_output(2400);
  REQUIRE(h.log->opened.size() == 1);
  REQUIRE_FALSE(h.log->elements.empty());
  CHECK(h.log->rows() <= 300);
  CHECK_FALSE(h.log->ended());

  for (std::size_t i = 0; !h.log->ended(); ++i) {
    std::uint64_t in_flight = 0;
    for (auto k = i; k < h.log->elements.size(); ++k) in_flight += charge_of(k);
    REQUIRE(in_flight <= 2400);
    h.tell(wire::channel_credit{h.id, h.log->opened[0].output_channel, charge_of(i)});
  }
  CHECK(h.log->rows() == 1000);
  REQUIRE(h.states().back() == execution_state::finished);
  const auto& report = h.log->states.back().report;
  CHECK(report.operators.at(0).rows_out == 1000);
  CHECK(report.bytes_out >= 8000);
}

TEST_CASE("A consuming task asks its producers to open channels and returns their credit") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  REQUIRE(h.log->opens.size() == 1);
  const auto request = h.log->opens[0];
  CHECK(request.consumer == h.id);
  CHECK(request.credit_bytes == h.window);

  h.tell(wire::channel_opened{h.id, 0, 42});
  h.tell(wire::channel_element{h.id, 0, numbers(1, 10, 80)});
  REQUIRE(h.log->credits.size() == 1);
  CHECK(h.log->credits[0].charge == 80);
  CHECK(h.log->credits[0].output_channel == 42);
  CHECK(h.log->credits[0].producer == request.producer);
  h.tell(wire::channel_element{h.id, 0, end_of_input{}});
  REQUIRE(h.states().back() == execution_state::finished);
  CHECK(h.log->states.back().report.operators.at(0).rows_in == 10);
}

TEST_CASE("A task reports its event time, and which producer it waits for") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  h.tell(wire::channel_opened{h.id, 0, 0});
  h.tell(wire::channel_element{h.id, 0, watermark{1234}});
  h.tell(local::report_task{});
  REQUIRE(h.log->reports.size() == 1);
  const auto& report = h.log->reports[0];
  REQUIRE(report.inputs.size() == 1);
  CHECK(report.inputs[0].watermark == 1234);
  CHECK_FALSE(report.inputs[0].is_idle);
  REQUIRE(report.inputs[0].held_back_by);
  CHECK(report.inputs[0].held_back_by->vertex == 0);
  CHECK(report.inputs[0].held_back_by->subtask == 0);
  CHECK(report.operators.at(0).output_watermark == 1234);
}

TEST_CASE("The head of an iteration answers its coordinator and ends when it is told to") {
  host h([](stream_environment& env, const arguments&) {
    const auto loop = env.from_sequence(1, 1000).rebalance().iterate();
    const auto body = loop.map([](std::int64_t n) { return n - 1; });
    loop.close_with(body.filter([](std::int64_t n) { return n > 0; }));
    body.discard();
  });
  h.spawn(1);
  h.tell(wire::channel_opened{h.id, 0, 0});
  const auto& feedback = h.plan.graph.edges.at(1);
  REQUIRE(feedback.is_feedback);
  h.tell(wire::open_channel{h.id, h.id, feedback.id, h.window}, h.surroundings);
  h.tell(wire::command_iteration{{iteration_request::report, 1}, {h.id}});
  h.tell(wire::channel_element{h.id, 0, end_of_input{}});
  REQUIRE(h.log->iterations.size() == 1);
  CHECK(h.log->iterations[0].task == h.id);
  CHECK(h.log->iterations[0].report == iteration_report{1, true, {0}, {1, 0}});
  h.tell(wire::command_iteration{{iteration_request::end_event_time, 2}, {h.id}});
  h.tell(wire::command_iteration{{iteration_request::end, 3}, {h.id}});
  CHECK(h.states().back() == execution_state::running);
  h.tell(wire::channel_element{h.id, 1, end_of_input{}});
  CHECK(h.states().back() == execution_state::finished);
}

TEST_CASE("A member of an alignment group says how far it is, and waits when it is told to") {
  host h([](stream_environment& env, const arguments&) {
    env.disable_operator_chaining();
    env.add_source(test::number_source{1, 1000}, "numbers", boundedness::bounded)
        .assign_timestamps_and_watermarks(
            watermark_strategy<std::int64_t>::for_generator(always_ahead{})
                .with_timestamp_assigner([](const std::int64_t& n) { return n; })
                .with_watermark_alignment("group", std::chrono::milliseconds(5)))
        .rebalance()
        .discard();
  });
  h.options.batches.rows = 10;
  h.spawn(0);
  h.tell(wire::align_watermarks{"group", 5, {h.id}});
  h.open_output(1 << 20);
  CHECK(h.log->rows() == 10);
  h.tell(wire::align_watermarks{"group", 10, {h.id}});
  CHECK(h.log->rows() == 20);
  h.tell(wire::align_watermarks{"group", 20, {h.id}});
  CHECK(h.log->rows() == 30);
  h.tell(wire::align_watermarks{"group", 1000, {h.id}});
  REQUIRE(h.states().back() == execution_state::finished);
  CHECK(h.log->rows() == 1000);
  REQUIRE_FALSE(h.log->alignments.empty());
  CHECK(h.log->alignments.back().task == h.id);
  CHECK(h.log->alignments.back().report == alignment_report{"group", 1000, true, 5});
}

TEST_CASE("Credit of several batches of one step is returned in one message") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  h.tell(wire::channel_opened{h.id, 0, 0});
  for (int i = 0; i < 5; ++i)
    caf::send_as(h.surroundings, h.task, wire::channel_element{h.id, 0, numbers(1, 10, 80)});
  h.settle();
  std::uint64_t sum = 0;
  for (const auto& c : h.log->credits) sum += c.charge;
  CHECK(sum == 400);
  CHECK(h.log->credits.size() < 5);
}

TEST_CASE("A task drops what is meant for another attempt") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  auto other = h.id;
  --other.attempt;
  h.tell(wire::channel_opened{other, 0, 9});
  h.tell(wire::channel_element{other, 0, numbers(1, 10, 80)});
  h.tell(wire::channel_credit{other, 0, 80});
  CHECK(h.log->credits.empty());
  CHECK(h.states().back() == execution_state::running);
}

TEST_CASE("A function that throws fails its task with the operator's name and its message") {
  host h(no_more_than_7);
  h.spawn(1);
  h.tell(wire::channel_opened{h.id, 0, 0});
  h.tell(wire::channel_element{h.id, 0, numbers(1, 10, 80)});
  REQUIRE(h.states().back() == execution_state::failed);
  const auto& last = h.log->states.back();
  REQUIRE(last.cause);
  CHECK(last.cause->message == "too large: 8");
  CHECK(last.cause->code == errc::user_function);
  CHECK(last.failed_operator == "careful");
  CHECK(last.report.operators.at(0).rows_in == 10);
}

TEST_CASE("What an operator lacks when its task is restored is not said of the checkpoint") {
  test::temporary_directory scratch;
  local_file_system files;
  checkpoint_metadata metadata;
  metadata.job = {1, 1};
  metadata.job_name = "numbers";
  metadata.checkpoint = {5};
  REQUIRE(complete_snapshot(files, scratch.path(), metadata));
  host h(numbers_by_table);
  h.restore = wire::restore_point{{5}, scratch.path()};
  h.spawn(1);
  REQUIRE(h.states().back() == execution_state::failed);
  const auto& last = h.log->states.back();
  REQUIRE(last.cause);
  CHECK(last.cause->code == errc::not_found);
  CHECK(last.cause->message == "there is no '/tables/prices' (while restoring checkpoint 5)");
  CHECK(last.failed_operator == "prices");
}

TEST_CASE("A task is cancelled at once, and says nothing more") {
  host h(numbers_to_nowhere);
  h.spawn(0);
  h.tell(wire::cancel{});
  CHECK(h.states().back() == execution_state::canceled);
  const auto count = h.log->states.size();
  h.open_output(100);
  h.tell(wire::cancel{});
  CHECK(h.log->states.size() == count);
}

TEST_CASE("A task fails with what its task manager says") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  h.tell(local::fail_task{{errc::task_manager_lost, "lost connection to task manager a:1"}});
  REQUIRE(h.states().back() == execution_state::failed);
  CHECK(h.log->states.back().cause->message == "lost connection to task manager a:1");
}

TEST_CASE("A task fails when a producer does not open its channel in time") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  h.pass(std::chrono::milliseconds(99));
  CHECK(h.states().back() == execution_state::running);
  h.pass(std::chrono::milliseconds(2));
  REQUIRE(h.states().back() == execution_state::failed);
  CHECK(h.log->states.back().cause->message.find("on task manager there:1 did not open") !=
        std::string::npos);
}

TEST_CASE("Elements and credit that no correct peer sends fail the task") {
  SUBCASE("an element of a channel there is not") {
    host h(numbers_to_nowhere);
    h.spawn(1);
    h.tell(wire::channel_element{h.id, 7, end_of_input{}});
    REQUIRE(h.states().back() == execution_state::failed);
    CHECK(h.log->states.back().cause->code == errc::protocol);
  }
  SUBCASE("more credit than was used") {
    host h(numbers_to_nowhere);
    h.spawn(0);
    h.tell(wire::channel_credit{h.id, 0, 80});
    REQUIRE(h.states().back() == execution_state::failed);
    CHECK(h.log->states.back().cause->code == errc::protocol);
  }
  SUBCASE("credit for a channel there is not") {
    host h(numbers_to_nowhere);
    h.spawn(0);
    h.tell(wire::channel_credit{h.id, 5, 80});
    REQUIRE(h.states().back() == execution_state::failed);
  }
}

TEST_CASE("A task answers when it is asked how far it is") {
  host h(numbers_to_nowhere);
  h.spawn(1);
  h.tell(wire::channel_opened{h.id, 0, 0});
  h.tell(wire::channel_element{h.id, 0, numbers(1, 10, 80)});
  h.tell(local::report_task{});
  REQUIRE(h.log->reports.size() == 1);
  CHECK(h.log->reports[0].task == h.id);
  CHECK(h.log->reports[0].operators.at(0).rows_in == 10);
}

}  // namespace task_actor_test
