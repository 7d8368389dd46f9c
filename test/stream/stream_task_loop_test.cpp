#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/stream/stream_task.hpp"
#include "support/stream_jobs.hpp"

namespace stream_task_loop_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t wide = 1 << 30;
constexpr std::uint32_t from_source = 0, from_body = 1;  // input channels of the head

/// source => head => body => head, and body => sink.
struct loop_world {
  fake_services world;
  job_maker make;
  std::optional<stream_task> task;

  static constexpr std::uint32_t head = 1, body = 2;

  explicit loop_world(std::uint32_t vertex, script of_head = {}, script of_body = {}) {
    const auto source = make.source("source");
    of_head.inputs = 2;
    of_head.logs_time = of_body.logs_time = true;
    const auto loop = make.op("head", of_head);
    const auto middle = make.op("body", of_body);
    const auto sink = make.sink("sink");
    make.connect(source, loop, partitioning::rebalance, 0);
    make.connect(loop, middle, partitioning::rebalance);
    make.feed_back(middle, loop, partitioning::rebalance);
    make.connect(middle, sink, partitioning::rebalance);
    task.emplace(make.build(), subtask(vertex), make.program, world, task_options{});
    task->open();
    make.log->clear();
  }

  void give(std::uint32_t channel, std::int64_t first = 0) {
    task->on_element(channel, record_batch{batch_of(numbers(1, first)), 7});
  }
  void end(std::uint32_t channel) { task->on_element(channel, end_of_input{}); }
  void command(iteration_request what, std::uint64_t round = 1) {
    task->on_iteration_command({what, round});
  }
  void open_all() {
    for (std::uint32_t c = 0; c < task->chain().output_channel_count(); ++c)
      task->on_channel_open(c, wide);
  }
  void settle() {
    while (task->step() == task_progress::ready) {
    }
  }
  std::size_t count(const std::string& call) const {
    return static_cast<std::size_t>(std::count(make.log->begin(), make.log->end(), call));
  }
};

using request = iteration_request;

}  // namespace

TEST_CASE("a head takes what comes back though it can't send, and nothing else") {
  loop_world w(loop_world::head);
  w.give(from_source);
  w.settle();  // its output waits for a channel
  w.give(from_source);
  for (int i = 0; i < 50; ++i) w.give(from_body);
  w.settle();
  CHECK(w.count("process head 0") == 1);
  CHECK(w.count("process head 1") == 0);
  const auto returned = std::count(w.world.returned.begin(), w.world.returned.end(),
                                   std::pair<std::uint32_t, std::uint64_t>{from_body, 7});
  CHECK(returned == 50);
}

TEST_CASE("what comes back goes before what is new, but does not keep it out") {
  loop_world w(loop_world::head);
  w.open_all();
  for (int i = 0; i < 4; ++i) w.give(from_source);
  for (int i = 0; i < 40; ++i) w.give(from_body);
  w.settle();
  const auto& log = *w.make.log;
  CHECK(w.count("process head 0") == 4);
  CHECK(w.count("process head 1") == 40);
  const auto first = std::find(log.begin(), log.end(), "process head 0") - log.begin();
  CHECK(first == 16);
  CHECK(log[33] == "process head 0");
}

TEST_CASE("a task of a loop reports once it has nothing left to do") {
  loop_world w(loop_world::head);
  w.command(request::report, 3);
  w.give(from_source);
  w.settle();
  w.open_all();
  w.settle();
  CHECK(w.world.iteration_reports.empty());  // more may come from outside
  w.end(from_source);
  w.settle();
  REQUIRE(w.world.iteration_reports.size() == 1);
  CHECK(w.world.iteration_reports[0] == iteration_report{3, true, {1}, {2, 0}});
  w.give(from_body);
  w.settle();
  CHECK(w.world.iteration_reports.size() == 1);  // once
}

TEST_CASE("asked to confirm, a task answers at once") {
  auto busy = std::make_shared<bool>(true);
  script working;
  working.is_busy = [busy] { return *busy; };
  loop_world w(loop_world::body, {}, working);
  w.open_all();
  w.command(request::confirm, 2);
  w.settle();
  REQUIRE(w.world.iteration_reports.size() == 1);
  CHECK(!w.world.iteration_reports[0].is_passive);
  *busy = false;
  w.command(request::confirm, 3);
  w.settle();
  REQUIRE(w.world.iteration_reports.size() == 2);
  CHECK(w.world.iteration_reports[1].is_passive);
}

TEST_CASE("timers in a loop wait from a confirmation until the next question") {
  script waking;
  operator_context* context = nullptr;
  waking.on_open = [&](operator_context& c) { context = &c; };
  waking.on_processing_time = [](timestamp_ms, collector<std::int64_t>& out) { out.emit(1); };
  loop_world w(loop_world::body, {}, waking);
  w.open_all();
  context->wake_at(w.world.watch.now() + 5ms);
  w.command(request::confirm);
  w.settle();
  w.world.watch.advance(10ms);
  w.settle();
  CHECK(w.count("woken body") == 0);
  w.command(request::report, 2);
  w.settle();
  CHECK(w.count("woken body") == 1);
  CHECK(w.world.iteration_reports.back() == iteration_report{2, true, {1, 1}, {0}});
}

TEST_CASE("event time ends in a loop when the coordinator says so, the input after that") {
  loop_world w(loop_world::head);
  w.open_all();
  w.task->on_element(from_source, watermark{5});
  w.task->on_element(from_body, watermark{900});  // does not go around
  w.end(from_source);
  w.settle();
  CHECK(*w.make.log == call_log{"watermark head 5", "end_input head 0"});
  w.command(request::end_event_time);
  w.settle();
  CHECK(w.make.log->back() == "watermark head max");
  CHECK(watermarks_in(w.world.sent) == std::vector<timestamp_ms>{5, max_watermark});
  CHECK(w.world.ends() == 0);
  w.command(request::end);
  CHECK(w.task->step() == task_progress::waiting);
  CHECK(w.world.ends() == 1);
  CHECK((*w.make.log)[w.make.log->size() - 2] == "end_input head 1");
  CHECK(w.make.log->back() == "finish head");
  w.end(from_body);
  CHECK(w.task->step() == task_progress::finished);
}

TEST_CASE("inside of a loop the end of event time is passed on before the end, outside with it") {
  loop_world w(loop_world::body);
  w.open_all();
  w.task->on_element(0, watermark{5});
  w.task->on_element(0, watermark{max_watermark});
  w.settle();
  CHECK(*w.make.log == call_log{"watermark body 5", "watermark body max"});
  CHECK(watermarks_in(w.world.sent, 1) == std::vector<timestamp_ms>{5});
  w.end(0);
  CHECK(w.task->step() == task_progress::finished);
  CHECK(w.count("watermark body max") == 1);
  CHECK(w.world.ends() == 2);
}

TEST_CASE("records that come back after the end are an error, never lost") {
  loop_world w(loop_world::head);
  w.open_all();
  w.end(from_source);
  w.command(request::end);
  w.settle();
  CHECK_THROWS_WITH_AS(w.give(from_body),
                       doctest::Contains("after the loop of the iteration had ended"), failure);
}

TEST_CASE("commands for others are refused") {
  loop_world w(loop_world::body);
  CHECK_THROWS_AS(w.command(request::end), failure);
  job_maker make;
  const auto source = make.source("source");
  make.connect(source, make.sink("sink"), partitioning::rebalance);
  fake_services world;
  stream_task plain(make.build(), subtask(1), make.program, world, {});
  CHECK_THROWS_AS(plain.on_iteration_command({}), failure);
}

}  // namespace stream_task_loop_test
