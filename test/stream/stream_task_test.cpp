#include "millrace/stream/stream_task.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <span>

#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/stream/operator_failure.hpp"
#include "support/stream_jobs.hpp"

namespace stream_task_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t wide = 1 << 30;

struct running_task {
  fake_services world;
  std::shared_ptr<call_log> log;
  stream_task task;

  running_task(const job_maker& make, std::uint32_t vertex, task_options options = {})
      : log(make.log), task(make.build(), subtask(vertex), make.program, world, options) {
    task.open();
    log->clear();
  }

  void give(std::int64_t first, std::int64_t count = 1, std::uint32_t channel = 0) {
    task.on_element(channel, record_batch{batch_of(numbers(count, first)), 7});
  }
  void end(std::uint32_t channel = 0) { task.on_element(channel, end_of_input{}); }
};

/// source => map => sink, all by rebalance
job_maker pipeline(script source = {}, script map = {}, script sink = {},
                   std::uint32_t parallelism = 1) {
  job_maker make;
  make.parallelism = parallelism;
  const auto from = make.source("source", source);
  const auto middle = make.op("map", map);
  const auto to = make.sink("sink", sink);
  make.connect(from, middle, partitioning::rebalance);
  make.connect(middle, to, partitioning::rebalance);
  return make;
}

constexpr std::uint32_t source_vertex = 0, map_vertex = 1, sink_vertex = 2;

std::size_t count_of(const call_log& log, const std::string& call) {
  return static_cast<std::size_t>(std::count(log.begin(), log.end(), call));
}

}  // namespace

TEST_CASE("a task takes what arrives, returns its credit and flushes when nothing is left") {
  running_task t(pipeline(), map_vertex);
  t.task.on_channel_open(0, wide);
  CHECK(t.task.step() == task_progress::waiting);
  t.give(0, 10);
  t.give(10, 10);
  CHECK(t.task.gate().queued_bytes() == 14);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.world.returned == std::vector<std::pair<std::uint32_t, std::uint64_t>>{{0, 7}, {0, 7}});
  CHECK(t.world.sent.size() == 1);
  CHECK(t.world.rows<std::int64_t>()[0] == numbers(20));
}

TEST_CASE("a step is bounded") {
  running_task t(pipeline(), map_vertex);
  t.task.on_channel_open(0, wide);
  for (int i = 0; i < 20; ++i) t.give(i);
  CHECK(t.task.step() == task_progress::ready);
  CHECK(t.log->size() == 8);
  CHECK(t.task.step() == task_progress::ready);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 20);
}

TEST_CASE("no input is taken while output waits for credit") {
  running_task t(pipeline(), map_vertex);
  t.give(0, 10);
  CHECK(t.task.step() == task_progress::waiting);  // the channel is not open
  CHECK(t.task.chain().is_blocked());
  for (int i = 0; i < 5; ++i) t.give(i);
  for (int i = 0; i < 3; ++i) CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 1);
  CHECK(t.world.returned.size() == 1);

  t.task.on_channel_open(0, 100);  // less than a batch: one at a time
  CHECK(t.world.sent.size() == 1);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 6);
  CHECK(t.task.chain().is_blocked());
  t.give(5);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 6);
  t.task.on_credit(0, t.world.sent.back().charge());
  CHECK(t.world.sent.size() == 2);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 7);
}

TEST_CASE("no input is taken while an operator waits for I/O") {
  auto busy = std::make_shared<bool>(true);
  script writing;
  writing.is_busy = [busy] { return *busy; };
  running_task t(pipeline({}, {}, writing), sink_vertex);
  t.give(0);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->empty());
  *busy = false;
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 1);
}

TEST_CASE("a task ends when all its channels have, with the ends behind its data") {
  running_task t(pipeline({}, {}, {}, 2), map_vertex);
  t.task.on_channel_open(0, wide);
  t.task.on_channel_open(1, wide);
  t.give(0, 4, 0);
  t.end(0);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(count_of(*t.log, "end_input map 0") == 0);
  t.give(4, 4, 1);
  t.end(1);
  CHECK(t.task.step() == task_progress::finished);
  CHECK(count_of(*t.log, "end_input map 0") == 1);
  CHECK(t.log->back() == "finish map");
  CHECK(t.world.ends() == 2);
  CHECK(t.world.sent.back().is_end());
  std::size_t rows = 0;
  for (const auto& [channel, some] : t.world.rows<std::int64_t>()) rows += some.size();
  CHECK(rows == 8);
  CHECK(t.task.step() == task_progress::finished);
  CHECK(t.world.ends() == 2);
}

TEST_CASE("two inputs end one by one") {
  job_maker make;
  const auto a = make.source("a");
  const auto b = make.source("b");
  script two;
  two.inputs = 2;
  const auto join = make.sink("join", two);
  make.connect(a, join, partitioning::rebalance, 0);
  make.connect(b, join, partitioning::rebalance, 1);
  running_task t(make, 2);
  t.give(0, 1, 1);
  t.end(1);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(*t.log == call_log{"process join 1", "end_input join 1"});
  t.end(0);
  CHECK(t.task.step() == task_progress::finished);
  CHECK((*t.log)[2] == "end_input join 0");
}

TEST_CASE("a task drains what waits for credit before it finishes") {
  running_task t(pipeline(), map_vertex);
  t.give(0, 10);
  t.end();
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.task.chain().is_blocked());
  t.task.on_channel_open(0, wide);
  CHECK(t.task.step() == task_progress::finished);
  REQUIRE(t.world.sent.size() == 2);
  CHECK(t.world.sent[1].is_end());
}

TEST_CASE("a task finishes only when its sink has written everything") {
  auto busy = std::make_shared<bool>(false);
  script writing;
  operator_context* context = nullptr;
  writing.on_open = [&](operator_context& c) { context = &c; };
  writing.is_busy = [busy] { return *busy; };
  writing.on_finish = [&, busy](collector<std::int64_t>&) {
    *busy = true;
    context->io().submit([] {}, [busy] { *busy = false; });
    return true;
  };
  running_task t(pipeline({}, {}, writing), sink_vertex);
  t.end();
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.world.executor.size() == 1);
  t.world.executor.run_all();
  CHECK(t.task.step() == task_progress::finished);
}

TEST_CASE("what is left at the end comes in bounded pieces and obeys back pressure") {
  script holding;
  holding.on_finish = [left = std::int64_t{5}](collector<std::int64_t>& out) mutable {
    for (auto n : numbers(10, left * 10)) out.emit(n);
    return --left == 0;
  };
  running_task t(pipeline({}, holding), map_vertex, {.batches = {.rows = 10, .bytes = 80}});
  t.task.on_channel_open(0, 100);  // one batch at a time
  t.end();
  CHECK(t.task.step() == task_progress::ready);
  int waited = 0;
  std::size_t credited = 0;
  auto progress = task_progress::ready;
  for (int i = 0; i < 100 && progress != task_progress::finished; ++i) {
    progress = t.task.step();
    CHECK(t.task.chain().exchanges()[0]->waiting_bytes() <= 80);
    if (progress != task_progress::waiting) continue;
    ++waited;
    t.task.on_credit(0, t.world.sent[credited++].charge());
  }
  CHECK(progress == task_progress::finished);
  CHECK(waited >= 3);
  CHECK(t.world.rows<std::int64_t>()[0].size() == 50);
  CHECK(t.world.sent.back().is_end());
}

TEST_CASE("a source runs until it has nothing, then its rows are flushed") {
  auto status = std::make_shared<poll_status>(poll_status::more);
  script polled;
  polled.on_poll = [status](collector<std::int64_t>& out) {
    if (*status == poll_status::more) out.emit(1);
    return *status;
  };
  running_task t(pipeline(polled), source_vertex);
  t.task.on_channel_open(0, wide);
  CHECK(t.task.step() == task_progress::ready);
  CHECK(t.log->size() == 8);
  CHECK(t.world.sent.empty());
  *status = poll_status::idle;
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 9);
  CHECK(t.world.rows<std::int64_t>()[0].size() == 8);
  *status = poll_status::finished;
  CHECK(t.task.step() == task_progress::finished);
  CHECK(t.log->back() == "finish source");
  CHECK(count_of(*t.log, "end_input source 0") == 0);
  CHECK(t.world.ends() == 1);
}

TEST_CASE("a source is not polled while its rows have no credit") {
  running_task t(pipeline(counting_source(100, 10)), source_vertex,
                 {.batches = {.rows = 10, .bytes = 80}});
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 1);
  for (int i = 0; i < 5; ++i) CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 1);
  t.task.on_channel_open(0, 100);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 2);
}

TEST_CASE("a failing operator fails the step under its name, and the task can be closed") {
  script bad;
  bad.map = [](std::int64_t n) -> std::int64_t {
    if (n == 3) throw std::runtime_error("three is bad");
    return n;
  };
  running_task t(pipeline({}, bad), map_vertex);
  t.task.on_channel_open(0, wide);
  t.give(3);
  try {
    t.task.step();
    FAIL("no error");
  } catch (const operator_failure& f) {
    CHECK(f.operator_name() == "map");
    CHECK(std::string(f.what()) == "three is bad");
  }
  CHECK(t.world.returned.empty());
  t.task.close();
  t.task.close();
  CHECK(count_of(*t.log, "close map") == 1);
}

TEST_CASE("a record over the limit fails under the name of the operator that emits it") {
  struct line_factory final : operator_factory {
    class op final : public producing<std::string, source_operator> {
     public:
      poll_status poll() override {
        out_.emit(std::string(10'000, 'x'));
        out_.flush();
        return poll_status::idle;
      }
    };
    std::unique_ptr<stream_operator> create() const override { return std::make_unique<op>(); }
    const record_type* input_type(std::size_t) const noexcept override { return nullptr; }
    const record_type* output_type() const noexcept override {
      return &record_type_of<std::string>();
    }
  };
  auto make = pipeline();
  make.program->operators[0].reset(new line_factory);
  make.program->routers[0] =
      router_factory_ptr(new plain_router_factory<std::string>(partitioning::rebalance));
  running_task t(make, source_vertex,
                 {.batches = {.rows = 10, .bytes = 1000}, .record_bytes_max = 2000});
  try {
    t.task.step();
    FAIL("no error");
  } catch (const operator_failure& f) {
    CHECK(f.operator_name() == "source");
    CHECK(f.code() == errc::invalid_data);
  }
}

TEST_CASE("a peer that breaks the protocol fails the task, not the process") {
  running_task t(pipeline(), map_vertex);
  auto code_of = [](auto call) {
    try {
      call();
    } catch (const failure& f) {
      return f.code();
    }
    return errc::internal;
  };
  CHECK(code_of([&] { t.give(0, 1, 9); }) == errc::protocol);
  CHECK(code_of([&] { t.task.on_channel_open(9, wide); }) == errc::protocol);
  CHECK(code_of([&] { t.task.on_credit(0xFFFFFFFF, 1); }) == errc::protocol);
  CHECK(code_of([&] { t.task.on_credit(0, 1); }) == errc::protocol);
  t.end();
  CHECK(code_of([&] { t.give(0); }) == errc::protocol);
}

TEST_CASE("a task accounts for its time: busy, idle, held up") {
  job_maker make;
  fake_services* world = nullptr;
  script slow;
  slow.map = [&world](std::int64_t n) {
    world->watch.advance(5ms);
    return n;
  };
  running_task t(pipeline({}, slow), map_vertex);
  world = &t.world;
  CHECK(t.task.times().idle_ns == 0);
  t.world.watch.advance(10ms);
  CHECK(t.task.times().idle_ns == 10'000'000);
  t.give(0, 2);
  t.task.step();  // the channel is not open, so what was made cannot leave
  CHECK(t.task.times().busy_ns == 10'000'000);
  CHECK(t.task.times().idle_ns == 10'000'000);
  t.world.watch.advance(30ms);
  CHECK(t.task.times().blocked_ns == 30'000'000);
  t.task.on_channel_open(0, wide);
  t.task.step();
  t.world.watch.advance(1ms);
  CHECK(t.task.times().busy_ns == 10'000'000);
  CHECK(t.task.times().idle_ns == 11'000'000);
  CHECK(t.task.times().blocked_ns == 30'000'000);
}

TEST_CASE("a task that was not opened yet has spent no time") {
  const auto make = pipeline();
  fake_services world;
  stream_task task(make.build(), subtask(map_vertex), make.program, world, {});
  CHECK(task.times().idle_ns == 0);
  CHECK(task.times().busy_ns == 0);
}

TEST_CASE("closing an unopened task calls no operator") {
  const auto make = pipeline();
  {
    fake_services world;
    stream_task task(make.build(), subtask(map_vertex), make.program, world, {});
    task.close();
  }
  CHECK(make.log->empty());
}

namespace {

script timed() {
  script what;
  what.logs_time = true;
  return what;
}

}  // namespace

TEST_CASE("watermarks reach the operators behind the data before them, and go on") {
  running_task t(pipeline({}, timed()), map_vertex);
  t.task.on_channel_open(0, wide);
  t.give(0, 3);
  t.task.on_element(0, watermark{5});
  t.give(3, 2);
  t.task.step();
  CHECK(*t.log == call_log{"process map 0", "watermark map 5", "process map 0"});
  REQUIRE(t.world.sent.size() == 3);
  CHECK(t.world.sent[0].batch().rows->size() == 3);
  CHECK(std::get<watermark>(t.world.sent[1].what) == watermark{5});
  CHECK(t.world.sent[2].batch().rows->size() == 2);
}

TEST_CASE("the end of all inputs is the end of event time, before the last end_input") {
  auto make = pipeline({}, timed(), timed(), 2);
  SUBCASE("in the task that has the inputs") {
    running_task t(make, map_vertex);
    t.end(0);
    t.task.step();
    CHECK(t.log->empty());
    t.end(1);
    t.task.step();
    t.task.step();
    CHECK(*t.log == call_log{"watermark map max", "end_input map 0", "finish map"});
  }
  SUBCASE("and in the operators behind, when the ones before have emitted everything") {
    job_maker chained;
    const auto from = chained.source("source");
    script late = timed();
    late.on_finish = [](collector<std::int64_t>& out) {
      out.emit(1);
      return true;
    };
    const auto first = chained.op("first", late);
    const auto second = chained.op("second", timed());
    chained.connect(from, first, partitioning::rebalance);
    const auto to = chained.sink("sink");
    chained.connect(first, second);
    chained.connect(second, to, partitioning::rebalance);
    running_task t(chained, 1);
    t.task.on_channel_open(0, wide);
    t.end();
    while (t.task.step() != task_progress::finished) {
    }
    CHECK(*t.log == call_log{"watermark first max", "end_input first 0", "finish first",
                             "process second 0", "watermark second max", "end_input second 0",
                             "finish second"});
  }
}

TEST_CASE("a task takes the minimum of its channels and passes idleness on") {
  running_task t(pipeline({}, timed(), {}, 2), map_vertex);
  t.task.on_channel_open(0, wide);
  t.task.on_channel_open(1, wide);
  t.task.on_element(0, watermark{10});
  t.task.on_element(1, watermark{5});
  t.task.on_element(1, stream_status::idle);
  t.task.on_element(0, stream_status::idle);
  t.task.on_element(1, stream_status::active);
  t.task.step();
  CHECK(*t.log == call_log{"watermark map 5", "watermark map 10", "idle map", "active map"});
  CHECK(watermarks_in(t.world.sent, 0) == std::vector<timestamp_ms>{5, 10});
  CHECK(watermarks_in(t.world.sent, 1) == std::vector<timestamp_ms>{5, 10});
  CHECK(t.task.watermarks().watermark() == 10);
  CHECK(t.task.chain().output_watermark(0) == 10);
}

TEST_CASE("each operator of a chain is woken at its own time") {
  std::vector<std::pair<std::string, timestamp_ms>> woken;
  job_maker make;
  const auto start = test::virtual_clock().wall_ms();
  const auto waking = [&woken](std::string name, std::vector<timestamp_ms> delays) {
    script what;
    auto context = std::make_shared<operator_context*>();
    auto todo = std::make_shared<std::vector<timestamp_ms>>(std::move(delays));
    const auto ask = [context, todo] {
      if (todo->empty()) return;
      auto& c = **context;
      c.wake_at_processing_time(c.time().wall_ms() + todo->front());
      todo->erase(todo->begin());
    };
    what.on_open = [context, ask](operator_context& c) {
      *context = &c;
      ask();
    };
    what.on_processing_time = [&woken, name, ask](timestamp_ms now, collector<std::int64_t>& out) {
      woken.emplace_back(name, now);
      out.emit(now, now);
      ask();
    };
    return what;
  };
  const auto from = make.source("source");
  const auto first = make.op("first", waking("first", {30, 5}));
  const auto second = make.op("second", waking("second", {10, 100}));
  const auto to = make.sink("sink");
  make.connect(from, first, partitioning::rebalance);
  make.connect(first, second);
  make.connect(second, to, partitioning::rebalance);
  running_task t(make, 1);
  t.task.on_channel_open(0, wide);
  t.task.step();
  CHECK(woken.empty());
  // As an actor would: only the earliest request is kept.
  for (int i = 0; i < 10 && !t.world.wakes.empty(); ++i) {
    const auto next = *std::min_element(t.world.wakes.begin(), t.world.wakes.end());
    t.world.wakes.clear();
    t.world.watch.advance_to(next);
    t.task.step();
  }
  CHECK(woken == std::vector<std::pair<std::string, timestamp_ms>>{{"second", start + 10},
                                                                   {"first", start + 30},
                                                                   {"first", start + 35},
                                                                   {"second", start + 110}});
  CHECK(t.world.rows<std::int64_t>()[0].size() == 4);
}

TEST_CASE("alignment goes through the task in both directions") {
  job_maker make;
  script second;
  second.on_open = [](operator_context& c) { c.report_alignment({"g", 5, false, 1}); };
  const auto from = make.source("source");
  const auto first = make.op("first");
  const auto last = make.op("second", second);
  const auto to = make.sink("sink");
  make.connect(from, first, partitioning::rebalance);
  make.connect(first, last);
  make.connect(last, to, partitioning::rebalance);
  running_task t(make, 1);
  REQUIRE(t.world.alignment_reports.size() == 1);
  CHECK(t.world.alignment_reports[0].first == 1);
  CHECK(t.world.alignment_reports[0].second == alignment_report{"g", 5, false, 1});
  t.task.on_alignment_limit("g", 7);
  CHECK(*t.log == call_log{"limit first g 7", "limit second g 7"});
}

TEST_CASE("wake-ups wait for credit but not for I/O") {
  int woken = 0;
  bool is_waiting = true;
  script what;
  what.on_open = [](operator_context& c) { c.wake_at(c.time().now()); };
  what.on_processing_time = [&](timestamp_ms, collector<std::int64_t>&) { ++woken; };
  what.is_busy = [&] { return is_waiting; };
  running_task t(pipeline({}, what), map_vertex);
  t.task.step();
  CHECK(woken == 1);
}

// -- checkpoints ----------------------------------------------------------------------------------

namespace {

constexpr barrier cut_of(std::uint64_t n, checkpoint_kind kind = checkpoint_kind::checkpoint) {
  return {{n}, kind, barrier_alignment::exactly_once};
}

constexpr barrier unaligned_cut_of(std::uint64_t n) {
  return {{n}, checkpoint_kind::checkpoint, barrier_alignment::unaligned};
}

task_options checkpointed() {
  task_options options;
  options.is_checkpointed = true;
  return options;
}

/// What was sent on channel 0, in short: "3" for a batch of three rows, "b1" for a barrier.
std::string sent_text(const fake_services& world) {
  std::string text;
  for (const auto& s : world.sent) {
    if (s.channel != 0) continue;
    if (s.is_batch()) text += std::to_string(s.batch().rows->size()) + " ";
    if (const auto* cut = std::get_if<barrier>(&s.what))
      text += "b" + std::to_string(cut->checkpoint.number) + " ";
    if (const auto* given_up = std::get_if<cancel_barrier>(&s.what))
      text += "c" + std::to_string(given_up->checkpoint.number) + " ";
    if (std::holds_alternative<end_of_data>(s.what)) text += "data ";
    if (s.is_end()) text += "end ";
  }
  return text;
}

}  // namespace

TEST_CASE("a barrier leaves behind what came before it, and the snapshot is handed on") {
  running_task t(pipeline(), map_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.give(0, 3);
  t.task.on_element(0, cut_of(1));
  t.give(3, 2);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(sent_text(t.world) == "3 b1 2 ");
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK(t.world.snapshots[0].cut == cut_of(1));
  CHECK_FALSE(t.world.snapshots[0].operators_finished);
  CHECK(t.world.snapshots[0].operators.size() == 1);
}

TEST_CASE("a channel whose barrier has come waits, and its credit is kept, until all have come") {
  running_task t(pipeline({}, {}, {}, 2), map_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.on_channel_open(1, wide);
  t.task.on_element(0, cut_of(1));
  t.give(0, 1, 0);
  t.give(10, 1, 1);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 1);
  CHECK(t.world.returned == std::vector<std::pair<std::uint32_t, std::uint64_t>>{{1, 7}});
  CHECK(t.world.snapshots.empty());
  t.task.on_element(1, cut_of(1));
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.world.snapshots.size() == 1);
  CHECK(t.log->size() == 2);
  CHECK(t.world.returned.size() == 2);
}

TEST_CASE("a source is triggered between two batches") {
  running_task t(pipeline(counting_source(100, 1)), source_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.step();
  t.task.on_checkpoint_trigger(cut_of(1));
  t.task.step();
  CHECK(sent_text(t.world).starts_with("8 b1 "));
  CHECK(t.world.snapshots.size() == 1);
}

TEST_CASE("a barrier waits for credit behind the data, and for an operator that waits for I/O") {
  running_task t(pipeline(), map_vertex, checkpointed());
  t.task.on_channel_open(0, 100);
  t.give(0, 1);
  t.task.step();
  t.give(0, 20);  // more than there is credit for
  t.task.on_element(0, cut_of(1));
  t.task.step();
  CHECK(t.world.snapshots.size() == 1);
  CHECK(sent_text(t.world) == "1 ");
  t.task.on_element(0, cut_of(2));
  t.task.step();
  CHECK(t.world.snapshots.size() == 1);  // not while that waits
  t.task.on_credit(0, t.world.sent[0].charge());
  t.task.step();
  CHECK(sent_text(t.world) == "1 20 b1 b2 ");

  auto busy = std::make_shared<bool>(true);
  script waits;
  waits.on_poll = [](collector<std::int64_t>&) { return poll_status::idle; };
  waits.is_busy = [busy] { return *busy; };
  running_task source(pipeline(waits), source_vertex, checkpointed());
  source.task.on_channel_open(0, wide);
  source.task.on_checkpoint_trigger(cut_of(1));
  CHECK(source.task.step() == task_progress::waiting);
  CHECK(source.world.snapshots.empty());
  *busy = false;
  source.task.step();
  CHECK(source.world.snapshots.size() == 1);
}

TEST_CASE("who holds a source back for others goes on when the source has ended") {
  auto busy = std::make_shared<bool>(false);
  script source, member;
  source.on_poll = [busy](collector<std::int64_t>& out) {
    out.emit(1);
    *busy = true;  // that was too far ahead
    return poll_status::finished;
  };
  member.is_busy = [busy] { return *busy; };
  member.on_source_end = [busy] { *busy = false; };
  job_maker make;
  const auto from = make.source("source", source);
  const auto held = make.op("member", member);
  const auto to = make.sink("sink");
  make.connect(from, held);
  make.connect(held, to, partitioning::rebalance);
  running_task t(make, 0, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.step();
  t.task.on_checkpoint_trigger(cut_of(1));
  t.task.step();
  CHECK(t.world.last_checkpoints_awaited == 1);
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK(t.world.snapshots[0].operators_finished);
}

TEST_CASE("what a coordinator sends behind a trigger is heard when the snapshot is taken") {
  auto busy = std::make_shared<bool>(true);
  script waits;
  waits.on_poll = [](collector<std::int64_t>&) { return poll_status::idle; };
  waits.is_busy = [busy] { return *busy; };
  running_task t(pipeline(waits), source_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  const auto send = [&](std::string_view text) {
    t.task.on_coordinator_event(0, std::as_bytes(std::span(text)));
  };
  const auto heard = [&] {
    std::string all;
    for (const auto& call : *t.log)
      if (call.starts_with("event")) all += call.back();
    return all;
  };
  send("a");
  t.task.on_checkpoint_trigger(cut_of(1));
  send("b");
  t.task.step();
  CHECK(heard() == "a");
  SUBCASE("taken") {
    *busy = false;
    t.task.step();
    CHECK(t.world.snapshots.size() == 1);
  }
  SUBCASE("aborted") {
    t.task.on_checkpoint_aborted({1});
  }
  SUBCASE("with a later one behind it") {
    t.task.on_checkpoint_trigger(cut_of(2));
    send("c");
    SUBCASE("and taken") {
      *busy = false;
      t.task.step();  // the first is written before the second is taken
      CHECK(heard() == "ab");
      t.task.step();
      REQUIRE(t.world.snapshots.size() == 2);
      CHECK(sent_text(t.world) == "b1 b2 ");
    }
    SUBCASE("of which the first is aborted") {
      t.task.on_checkpoint_aborted({1});
      CHECK(heard() == "ab");
      *busy = false;
      t.task.step();
      REQUIRE(t.world.snapshots.size() == 1);
      CHECK(sent_text(t.world) == "b2 ");
    }
    SUBCASE("which is aborted") {
      t.task.on_checkpoint_aborted({2});
      CHECK(heard() == "a");
      *busy = false;
      t.task.step();
      REQUIRE(t.world.snapshots.size() == 1);
      CHECK(sent_text(t.world) == "b1 ");
    }
    CHECK(heard() == "abc");
    return;
  }
  CHECK(heard() == "ab");
  send("c");
  CHECK(heard() == "abc");
}

TEST_CASE("an unaligned barrier overtakes what waits at both ends, which becomes part of it") {
  running_task t(pipeline({}, {}, {}, 2), map_vertex, checkpointed());
  t.task.on_channel_open(0, 100);
  t.task.on_channel_open(1, 100);
  t.give(0, 20);
  t.task.step();
  t.give(20, 20);
  t.task.step();
  CHECK(t.task.chain().is_blocked());
  t.give(40, 3, 0);
  t.give(50, 4, 1);
  t.task.on_element(0, unaligned_cut_of(1));
  t.give(60, 5, 0);  // behind it
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(sent_text(t.world) == "10 b1 ");
  CHECK(t.world.snapshots.empty());  // channel 1 is still to bring its barrier
  t.give(70, 6, 1);
  t.task.on_element(1, watermark{1});
  t.task.on_element(1, unaligned_cut_of(1));
  REQUIRE(t.world.snapshots.size() == 1);
  std::string kept;
  for (const auto& [at, channel, rows] : t.world.snapshots[0].in_flight)
    kept += (at == channel_end::sender ? "out" : "in") + std::to_string(channel) + ":" +
            std::to_string(rows->size()) + " ";
  CHECK(kept == "out0:10 out1:10 in0:3 in1:4 in1:6 ");

  // Another task goes on from there, before anything else.
  task_restore saved;
  for (auto& each : t.world.snapshots[0].operators) saved.operators.emplace_back(std::move(each));
  saved.in_flight = t.world.snapshots[0].in_flight;
  fake_services world;
  const auto make = pipeline({}, {}, {}, 2);
  stream_task again(make.build(), subtask(map_vertex), make.program, world, checkpointed());
  again.restore(std::move(saved));
  again.open();
  again.on_element(1, record_batch{batch_of(numbers(1, 90)), 7});
  again.step();
  CHECK(world.returned.empty());  // what comes first waits for credit
  again.on_channel_open(0, wide);
  again.on_channel_open(1, wide);
  while (again.step() == task_progress::ready) {
  }
  std::multiset<std::int64_t> rows;
  for (const auto& [channel, some] : world.rows<std::int64_t>())
    rows.insert(some.begin(), some.end());
  CHECK(rows.size() == 20 + 3 + 4 + 6 + 1);
  CHECK(rows.count(72) == 1);
  CHECK(rows.count(60) == 0);
  CHECK(world.returned.size() == 4);
}

TEST_CASE("an alignment that takes too long is ended by overtaking") {
  auto options = checkpointed();
  options.alignment_max = 10ms;
  running_task t(pipeline({}, {}, {}, 2), map_vertex, options);
  t.task.on_channel_open(0, wide);
  t.task.on_channel_open(1, wide);
  auto cut = unaligned_cut_of(1);
  cut.alignment = barrier_alignment::aligned_at_first;
  t.task.on_element(0, cut);
  t.give(0, 2, 0);
  t.task.step();
  CHECK(t.log->empty());  // channel 0 waits
  REQUIRE_FALSE(t.world.wakes.empty());
  t.world.watch.advance_to(t.world.wakes.back());
  t.task.step();
  CHECK(sent_text(t.world).starts_with("b1 "));
  CHECK(t.log->size() == 1);
  CHECK(t.world.snapshots.empty());
  t.task.on_element(1, unaligned_cut_of(1));
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK(t.world.snapshots[0].cut.alignment == barrier_alignment::unaligned);
  CHECK(t.world.snapshots[0].in_flight.empty());
  CHECK(t.world.snapshots[0].alignment == 10ms);
}

TEST_CASE("a source that has no credit overtakes when its time is over") {
  auto options = checkpointed();
  options.alignment_max = 10ms;
  options.batches.rows = 4;
  running_task t(pipeline(counting_source(100, 1)), source_vertex, options);
  t.task.on_channel_open(0, 300);
  while (t.task.step() == task_progress::ready) {
  }
  REQUIRE(t.task.chain().is_blocked());
  auto cut = unaligned_cut_of(1);
  cut.alignment = barrier_alignment::aligned_at_first;
  t.task.on_checkpoint_trigger(cut);
  t.task.step();
  CHECK(t.world.snapshots.empty());
  t.world.watch.advance_to(t.world.wakes.back());
  t.task.step();
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK_FALSE(t.world.snapshots[0].in_flight.empty());
  CHECK(std::holds_alternative<barrier>(t.world.sent.back().what));
}

TEST_CASE("batches in a checkpoint that do not fit the task are refused") {
  const auto refused = [](in_flight_batch batch) {
    fake_services world;
    const auto make = pipeline();
    stream_task task(make.build(), subtask(map_vertex), make.program, world, checkpointed());
    task_restore saved;
    saved.operators.resize(1);
    saved.in_flight.push_back(std::move(batch));
    try {
      task.restore(std::move(saved));
    } catch (const failure& f) {
      return std::string(f.what());
    }
    return std::string();
  };
  const auto text = batch_of<std::string>({"x"});
  for (const auto at : {channel_end::receiver, channel_end::sender}) {
    CHECK(refused({at, 0, text}).find("take a savepoint before") != std::string::npos);
    CHECK_FALSE(refused({at, 7, batch_of(numbers(1))}).empty());
    CHECK(refused({at, 0, batch_of(numbers(1))}).empty());
  }
}

TEST_CASE("a cancelled barrier goes on, an aborted checkpoint releases the channels") {
  running_task t(pipeline({}, {}, {}, 2), map_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.on_channel_open(1, wide);
  t.task.on_element(0, cut_of(1));
  t.give(0, 1, 0);
  t.task.on_element(1, cancel_barrier{{1}});
  t.task.step();
  CHECK(sent_text(t.world).starts_with("c1 "));
  CHECK(t.log->size() == 1);
  t.task.on_element(0, cut_of(2));
  t.give(0, 1, 0);
  t.task.step();
  CHECK(t.log->size() == 1);
  t.task.on_checkpoint_aborted({2});
  t.task.step();
  CHECK(t.log->size() == 2);
  CHECK(t.world.snapshots.empty());
}

TEST_CASE("a task that has emitted everything ends with the checkpoint that has seen it so") {
  running_task t(pipeline(), map_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.on_element(0, cut_of(1));
  t.give(0, 3);
  t.task.on_element(0, end_of_data{});
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(sent_text(t.world) == "b1 3 data ");
  CHECK(t.log->back() == "finish map");
  CHECK(t.world.last_checkpoints_awaited == 1);
  t.task.on_checkpoint_complete({1});
  CHECK(t.task.step() == task_progress::waiting);

  t.task.on_element(0, cut_of(2));
  CHECK(t.task.step() == task_progress::waiting);
  REQUIRE(t.world.snapshots.size() == 2);
  CHECK(t.world.snapshots[1].operators_finished);
  t.task.on_checkpoint_aborted({2});
  CHECK(t.task.step() == task_progress::waiting);
  t.task.on_element(0, cut_of(3));
  t.task.on_element(0, end_of_input{});
  CHECK(t.task.step() == task_progress::waiting);
  t.task.on_checkpoint_complete({3});
  CHECK(t.task.step() == task_progress::finished);
  CHECK(sent_text(t.world) == "b1 3 data b2 b3 end ");
  CHECK(count_of(*t.log, "finish map") == 1);
}

TEST_CASE("a task does not end ahead of those upstream") {
  running_task t(pipeline(), map_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.on_element(0, end_of_data{});
  t.task.on_element(0, cut_of(1));
  t.task.step();
  t.task.on_checkpoint_complete({1});
  CHECK(t.task.step() == task_progress::waiting);
  // But it takes part in checkpoints that no barrier announces any more.
  t.task.on_element(0, end_of_input{});
  t.task.on_checkpoint_trigger(cut_of(2));
  CHECK(t.task.step() == task_progress::finished);
  CHECK(t.world.snapshots.size() == 2);
}

TEST_CASE("a triggered task waits for what those upstream had sent before they ended") {
  running_task t(pipeline(), map_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  t.task.on_checkpoint_trigger(cut_of(1));
  t.task.step();
  CHECK(t.world.snapshots.empty());
  t.give(0, 5);
  t.end();
  t.task.step();
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK(sent_text(t.world) == "5 data b1 ");
  t.task.on_checkpoint_complete({1});
  CHECK(t.task.step() == task_progress::finished);
}

TEST_CASE("without checkpoints only a task that is drained waits, for the savepoint at the end") {
  const auto last = cut_of(1, checkpoint_kind::final_savepoint);
  running_task source(pipeline(counting_source(100, 1)), source_vertex);
  source.task.on_channel_open(0, wide);
  source.task.step();
  source.task.drain();
  while (source.task.step() == task_progress::ready) {
  }
  CHECK(sent_text(source.world).ends_with("data "));
  CHECK(source.world.last_checkpoints_awaited == 1);
  source.task.on_checkpoint_trigger(last);
  CHECK(source.task.step() == task_progress::waiting);
  REQUIRE(source.world.snapshots.size() == 1);
  // Of what it has emitted, not of all: a job that begins from here goes on reading.
  CHECK_FALSE(source.world.snapshots[0].operators_finished);
  source.task.on_checkpoint_complete({1});
  while (source.task.step() == task_progress::ready) {
  }
  CHECK(sent_text(source.world).ends_with("data b1 end "));

  // Who hears of it waits, too.
  running_task t(pipeline(), map_vertex);
  t.task.on_channel_open(0, wide);
  t.give(0, 3);
  t.task.on_element(0, end_of_data{});
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.world.last_checkpoints_awaited == 1);
  t.task.on_element(0, last);
  t.task.on_element(0, end_of_input{});
  CHECK(t.task.step() == task_progress::waiting);
  t.task.on_checkpoint_complete({1});
  CHECK(t.task.step() == task_progress::finished);
  CHECK(sent_text(t.world) == "3 data b1 end ");
}

TEST_CASE("an operator may refuse savepoints") {
  script loop;
  loop.on_open = [](operator_context& context) { context.refuse_savepoints("it is a loop"); };
  running_task t(pipeline({}, loop), map_vertex);
  CHECK(t.task.chain().savepoint_refusal() == "it is a loop");
  running_task other(pipeline(), map_vertex);
  CHECK(other.task.chain().savepoint_refusal().empty());
}

TEST_CASE("a task that is restored as finished ends at once and runs nothing") {
  auto make = pipeline();
  fake_services world;
  make.log->clear();
  stream_task task(make.build(), subtask(map_vertex), make.program, world, checkpointed());
  task.restore({{5}, subtask_ending::ended, {}});
  task.open();
  task.on_channel_open(0, wide);
  CHECK(task.step() == task_progress::waiting);
  task.on_element(0, end_of_input{});
  CHECK(task.step() == task_progress::finished);
  CHECK(sent_text(world) == "end ");
  task.close();
  CHECK(make.log->empty());
}

TEST_CASE("a source that ends by itself is finished in its snapshot, drained or not") {
  running_task t(pipeline(counting_source(3, 1)), source_vertex, checkpointed());
  t.task.on_channel_open(0, wide);
  while (t.task.step() == task_progress::ready) {
  }
  t.task.drain();
  t.task.on_checkpoint_trigger(cut_of(1));
  CHECK(t.task.step() == task_progress::waiting);
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK(t.world.snapshots[0].operators_finished);
}

TEST_CASE("a task that is restored behind its last record opens, commits, and ends") {
  auto is_busy = std::make_shared<bool>(true);
  auto woken = std::make_shared<int>(0);
  script committing;
  committing.on_open = [](operator_context& context) {
    CHECK(context.is_restored());
    context.wake_at(context.time().now());
  };
  committing.is_busy = [is_busy] { return *is_busy; };
  committing.on_processing_time = [woken](timestamp_ms, auto&) { ++*woken; };
  auto make = pipeline({}, committing);
  fake_services world;
  make.log->clear();
  stream_task task(make.build(), subtask(map_vertex), make.program, world, checkpointed());
  task.restore({{5}, subtask_ending::operators_finished, {operator_snapshot{}}});
  task.open();
  CHECK(count_of(*make.log, "open map") == 1);
  task.on_channel_open(0, wide);
  // A checkpoint waits until that is done, like any other restored task's.
  task.on_element(0, cut_of(6));
  task.on_element(0, end_of_input{});
  CHECK(task.step() == task_progress::waiting);
  CHECK(*woken == 1);
  CHECK(world.snapshots.empty());
  *is_busy = false;
  while (task.step() == task_progress::ready) {
  }
  REQUIRE(world.snapshots.size() == 1);
  CHECK(world.snapshots[0].operators_finished);
  CHECK(sent_text(world) == "b6 end ");
  CHECK(count_of(*make.log, "end_input map 0") == 0);
  CHECK(count_of(*make.log, "finish map") == 0);
  task.close();
  CHECK(make.log->back() == "close map");
}

TEST_CASE(
    "the end comes behind batches that were on their way when a restored task had emitted all") {
  auto make = pipeline();
  fake_services world;
  stream_task task(make.build(), subtask(map_vertex), make.program, world, checkpointed());
  task.restore({{5},
                subtask_ending::operators_finished,
                {operator_snapshot{}},
                {{channel_end::sender, 0, batch_of(numbers(3))}}});
  task.open();
  task.on_element(0, unaligned_cut_of(6));
  task.on_element(0, end_of_input{});
  // There is no credit yet, and it takes part in a checkpoint meanwhile.
  CHECK(task.step() == task_progress::waiting);
  REQUIRE(world.snapshots.size() == 1);
  CHECK(world.snapshots[0].operators_finished);
  CHECK(world.snapshots[0].in_flight.size() == 1);
  task.on_channel_open(0, wide);
  while (task.step() == task_progress::ready) {
  }
  CHECK(sent_text(world) == "b6 3 end ");
}

TEST_CASE("an operator that a checkpoint does not know begins afresh beside others") {
  job_maker make;
  script known, fresh;
  known.on_open = [](operator_context& c) { CHECK(c.is_restored()); };
  fresh.on_open = [](operator_context& c) { CHECK_FALSE(c.is_restored()); };
  const auto from = make.source("source");
  const auto first = make.op("known", known);
  const auto last = make.op("fresh", fresh);
  const auto to = make.sink("sink");
  make.connect(from, first, partitioning::rebalance);
  make.connect(first, last);
  make.connect(last, to, partitioning::rebalance);
  fake_services world;
  stream_task task(make.build(), subtask(1), make.program, world, checkpointed());
  task.restore({{5}, subtask_ending::none, {operator_snapshot{}, std::nullopt}});
  task.open();
  CHECK(*make.log == call_log{"open fresh", "open known"});
}

TEST_CASE("records for a task that was restored behind its last one are refused") {
  for (const auto ending : {subtask_ending::operators_finished, subtask_ending::ended}) {
    auto make = pipeline();
    fake_services world;
    stream_task task(make.build(), subtask(map_vertex), make.program, world, checkpointed());
    task.restore({{5}, ending, {operator_snapshot{}}});
    task.open();
    task.on_element(0, record_batch{batch_of(numbers(1)), 7});
    CHECK_THROWS_WITH(task.step(),
                      "records came on channel 0 of a task that had been sent all of them");
  }
}

TEST_CASE("the head of an iteration that had ended ends again when its loop has") {
  script of_two;
  of_two.inputs = 2;
  job_maker make;
  const auto from = make.source("source");
  const auto head = make.op("head", of_two);
  const auto body = make.op("body");
  const auto to = make.sink("sink");
  make.connect(from, head, partitioning::rebalance);
  make.connect(head, body, partitioning::rebalance);
  make.connect(body, to, partitioning::rebalance);
  make.feed_back(body, head, partitioning::rebalance);
  fake_services world;
  stream_task task(make.build(), subtask(1), make.program, world, {});
  task.restore({{5}, subtask_ending::ended, {}});
  task.open();
  task.on_channel_open(0, wide);
  task.on_element(0, end_of_input{});
  CHECK(task.step() == task_progress::waiting);
  task.on_element(1, end_of_input{});
  CHECK(task.step() == task_progress::finished);
}

TEST_CASE("a source that is restored behind its last record is not opened") {
  auto make = pipeline(counting_source(3, 1));
  fake_services world;
  make.log->clear();
  stream_task task(make.build(), subtask(source_vertex), make.program, world, checkpointed());
  task.restore({{5}, subtask_ending::operators_finished, {operator_snapshot{}}});
  task.open();
  task.on_channel_open(0, wide);
  task.on_alignment_limit("group", 7);
  CHECK(task.step() == task_progress::finished);
  CHECK(sent_text(world) == "end ");
  task.close();
  CHECK(make.log->empty());
}

namespace {

/// Emits how often each number has come, which it counts in keyed state.
script counting_by_key() {
  struct counts {
    keyed_state_backend<std::int64_t>* backend = nullptr;
    value_state<std::int64_t> count;
  };
  const auto kept = std::make_shared<counts>();
  script made;
  made.on_open = [kept](operator_context& context) {
    kept->backend = &context.keyed_backend<std::int64_t>();
    kept->count = kept->backend->get_state(value_state_descriptor<std::int64_t>("count"));
  };
  made.map = [kept](std::int64_t n) {
    kept->backend->set_current_key(n);
    return ++kept->count.get_or_default();
  };
  return made;
}

task_options written_in_slices() {
  auto options = checkpointed();
  options.snapshot_slice_bytes = 64;
  return options;
}

/// The counts that a task goes on from, for numbers from 0.
std::vector<std::int64_t> counts_in(const task_snapshot& snapshot, std::int64_t numbers_count) {
  const auto make = pipeline({}, counting_by_key());
  fake_services world;
  stream_task task(make.build(), subtask(map_vertex), make.program, world, checkpointed());
  const auto& its = snapshot.operators;
  task.restore({snapshot.cut.checkpoint, subtask_ending::none, {its.begin(), its.end()}});
  task.open();
  task.on_channel_open(0, wide);
  task.on_element(0, record_batch{batch_of(numbers(numbers_count)), 7});
  task.step();
  auto counts = world.rows<std::int64_t>()[0];
  for (auto& n : counts) --n;
  return counts;
}

/// Until the first snapshot is written: as long as it isn't, there is something to do.
void write_first(running_task& t) {
  while (t.world.snapshots.empty()) {
    const auto progress = t.task.step();
    REQUIRE((progress == task_progress::ready) == t.world.snapshots.empty());
  }
}

}  // namespace

TEST_CASE("a snapshot is written in slices while records are processed") {
  running_task t(pipeline({}, counting_by_key()), map_vertex, written_in_slices());
  t.task.on_channel_open(0, wide);
  t.give(0, 100);
  t.task.on_element(0, cut_of(1));
  CHECK(t.task.step() == task_progress::ready);
  CHECK(sent_text(t.world) == "100 b1 ");
  int steps = 0;
  for (; t.world.snapshots.empty(); ++steps) {
    REQUIRE(steps < 1'000);
    t.give(steps % 100, 1);
    t.task.step();
    CHECK(t.log->size() == static_cast<std::size_t>(2 + steps));
  }
  CHECK(steps > 10);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.world.snapshots.size() == 1);
  CHECK(counts_in(t.world.snapshots[0], 100) == std::vector<std::int64_t>(100, 1));
}

TEST_CASE("at the next barrier a task waits until the snapshot before is written") {
  running_task t(pipeline({}, counting_by_key()), map_vertex, written_in_slices());
  t.task.on_channel_open(0, wide);
  t.give(0, 100);
  t.task.on_element(0, cut_of(1));
  t.give(0, 100);
  t.task.on_element(0, cut_of(2));
  t.give(0, 100);
  CHECK(t.task.step() == task_progress::ready);
  CHECK(t.log->size() == 2);
  CHECK(sent_text(t.world) == "100 b1 100 ");
  while (t.world.snapshots.empty()) CHECK(t.task.step() == task_progress::ready);
  CHECK(t.log->size() == 2);
  while (t.world.snapshots.size() < 2) CHECK(t.task.step() != task_progress::finished);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(sent_text(t.world) == "100 b1 100 b2 100 ");
  CHECK(counts_in(t.world.snapshots[0], 100) == std::vector<std::int64_t>(100, 1));
  CHECK(counts_in(t.world.snapshots[1], 100) == std::vector<std::int64_t>(100, 2));
}

TEST_CASE("a snapshot that is aborted while it is written makes room for the next") {
  running_task t(pipeline({}, counting_by_key()), map_vertex, written_in_slices());
  t.task.on_channel_open(0, wide);
  t.give(0, 100);
  t.task.on_element(0, cut_of(1));
  t.task.step();
  t.give(0, 50);
  t.task.on_element(0, cut_of(2));
  t.task.step();
  t.task.on_checkpoint_aborted({1});
  write_first(t);
  CHECK(t.task.step() == task_progress::waiting);
  REQUIRE(t.world.snapshots.size() == 1);
  CHECK(t.world.snapshots[0].cut == cut_of(2));
  std::vector<std::int64_t> expected(100, 1);
  std::fill_n(expected.begin(), 50, 2);
  CHECK(counts_in(t.world.snapshots[0], 100) == expected);
}

TEST_CASE("a task closes, and waits for the end of a savepoint, while its snapshot is written") {
  {
    running_task t(pipeline({}, counting_by_key()), map_vertex, written_in_slices());
    t.task.on_channel_open(0, wide);
    t.give(0, 100);
    t.task.on_element(0, cut_of(1));
    t.task.step();
    t.task.close();
    CHECK(t.world.snapshots.empty());
  }
  running_task t(pipeline({}, counting_by_key()), map_vertex, written_in_slices());
  t.task.on_channel_open(0, wide);
  t.give(0, 100);
  t.task.on_element(0, cut_of(1, checkpoint_kind::final_savepoint));
  t.give(0, 100);
  write_first(t);
  CHECK(t.task.step() == task_progress::waiting);
  CHECK(t.log->size() == 1);
  CHECK(counts_in(t.world.snapshots[0], 100) == std::vector<std::int64_t>(100, 1));
}

}  // namespace stream_task_test
