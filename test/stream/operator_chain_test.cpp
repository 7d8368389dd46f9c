#include "millrace/stream/operator_chain.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/stream/operator_failure.hpp"
#include "support/stream_jobs.hpp"

namespace operator_chain_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;

namespace {

/// The chain of one vertex, with wide open channels.
struct running_chain {
  fake_services world;
  graph::job_graph graph;
  std::shared_ptr<call_log> log;
  operator_chain chain;

  running_chain(const job_maker& make, std::uint32_t vertex, task_options options = {})
      : graph(make.build()),
        log(make.log),
        chain(graph, subtask(vertex), *make.program, world, options) {
    chain.open();
    for (std::uint32_t c = 0; c < chain.output_channel_count(); ++c) {
      std::uint32_t index = 0;
      chain.exchange_of_channel(c, index).open(index, 1 << 30);
    }
    log->clear();
  }
};

script adding(std::int64_t n) {
  script what;
  what.map = [n](std::int64_t x) { return x + n; };
  return what;
}

/// far source => head -> (left -> left end, right => far sink)
job_maker tree() {
  job_maker make;
  const auto source = make.source("far source");
  const auto head = make.op("head", adding(100));
  const auto left = make.op("left", adding(1000));
  const auto left_end = make.sink("left end");
  const auto right = make.op("right", adding(2000));
  const auto sink = make.sink("far sink");
  make.connect(source, head, partitioning::rebalance);
  make.connect(head, left);
  make.connect(left, left_end);
  make.connect(head, right);
  make.connect(right, sink, partitioning::rebalance);
  return make;
}

std::size_t place_of(const call_log& log, const std::string& call) {
  const auto found = std::find(log.begin(), log.end(), call);
  CHECK_MESSAGE(found != log.end(), call);
  return static_cast<std::size_t>(found - log.begin());
}

}  // namespace

TEST_CASE("a chain opens its operators downstream first and closes each once") {
  const auto make = tree();
  fake_services world;
  const auto graph = make.build();
  {
    operator_chain chain(graph, subtask(1), *make.program, world, {});
    CHECK(chain.size() == 4);
    CHECK(make.log->empty());
    chain.open();
    CHECK(place_of(*make.log, "open left end") < place_of(*make.log, "open left"));
    CHECK(place_of(*make.log, "open left") < place_of(*make.log, "open head"));
    CHECK(make.log->back() == "open head");
    chain.close();
  }
  CHECK(make.log->size() == 8);
}

TEST_CASE("an operator that fails to open is named, and all are closed") {
  job_maker make;
  script bad;
  bad.on_open = [](operator_context&) { throw std::runtime_error("no such table"); };
  const auto source = make.source("source");
  const auto look_up = make.sink("look up", bad);
  make.connect(source, look_up);
  fake_services world;
  const auto graph = make.build();
  {
    operator_chain chain(graph, subtask(0), *make.program, world, {});
    try {
      chain.open();
      FAIL("no error");
    } catch (const operator_failure& f) {
      CHECK(f.operator_name() == "look up");
      CHECK(std::string(f.what()) == "no such table");
    }
  }
  CHECK(*make.log == call_log{"open look up", "close source", "close look up"});
}

TEST_CASE("rows pass down every branch of a chain, and only the last may take them") {
  running_chain r(tree(), 1);
  r.chain.process(0, batch_of(numbers(3)));
  r.chain.flush();
  CHECK(r.world.rows<std::int64_t>()[0] == std::vector<std::int64_t>{2100, 2101, 2102});
  place_of(*r.log, "process left 0 shared");
  place_of(*r.log, "process right 0");
  CHECK(r.chain.counts(0).rows_in == 3);
  CHECK(r.chain.counts(0).rows_out == 3);
  CHECK(r.chain.counts(2).rows_out == 0);
}

TEST_CASE("the head may take rows that nobody else holds") {
  running_chain r(tree(), 1);
  r.chain.process(0, batch_of(numbers(1)));
  CHECK((*r.log)[0] == "process head 0");
  r.log->clear();
  const auto held = batch_of(numbers(1));
  const auto sent = held;
  r.chain.process(0, sent);
  CHECK((*r.log)[0] == "process head 0 shared");
  r.log->clear();
  r.chain.process(0, over_the_network(*held));
  CHECK((*r.log)[0] == "process head 0");
}

TEST_CASE("a batch of other records, or of bad bytes, fails under the head's name") {
  running_chain r(tree(), 1);
  auto failed = [&](const batch_ptr& rows) {
    try {
      r.chain.process(0, rows);
    } catch (const operator_failure& f) {
      CHECK(f.operator_name() == "head");
      return f.code();
    }
    return errc::internal;
  };
  CHECK(failed(batch_of<std::string>({"x"})) == errc::type_mismatch);
  CHECK(failed(over_the_network(*batch_of<std::string>({"x"}))) == errc::type_mismatch);
  CHECK(failed(new encoded_batch(fingerprint_of<std::int64_t>(), 3, std::vector<std::byte>(5))) ==
        errc::invalid_data);
  CHECK(r.log->empty());
}

TEST_CASE("what an operator deep in the chain throws has its name") {
  job_maker make;
  script bad;
  bad.map = [](std::int64_t) -> std::int64_t { throw std::out_of_range("no such key"); };
  const auto source = make.source("source", counting_source(1, 1));
  const auto middle = make.op("middle");
  const auto last = make.sink("last", bad);
  make.connect(source, middle);
  make.connect(middle, last);
  running_chain r(make, 0);
  try {
    r.chain.poll();
    FAIL("no error");
  } catch (const operator_failure& f) {
    CHECK(f.operator_name() == "last");
    CHECK(f.code() == errc::user_function);
  }
}

TEST_CASE("operators end from the head down, each when those above it have emitted all") {
  job_maker make;
  script holding;  // two numbers a call, in two calls
  holding.on_finish = [calls = 0](collector<std::int64_t>& out) mutable {
    out.emit(calls);
    return ++calls == 2;
  };
  const auto source = make.source("source");
  const auto hold = make.op("hold", holding);
  const auto pass = make.sink("pass");
  make.connect(source, hold);
  make.connect(hold, pass);
  running_chain r(make, 0);
  CHECK(r.chain.finish_step() == finish_status::more);
  CHECK(r.chain.finish_step() == finish_status::done);
  CHECK(*r.log == call_log{"finish source", "end_input hold 0", "finish hold", "process pass 0",
                           "finish hold", "process pass 0", "end_input pass 0", "finish pass"});
  CHECK(r.chain.finish_step() == finish_status::done);
}

TEST_CASE("nothing ends below an operator that waits for I/O") {
  job_maker make;
  auto busy = std::make_shared<bool>(false);
  script writing;
  writing.on_finish = [busy](collector<std::int64_t>&) { return *busy = true; };
  writing.is_busy = [busy] { return *busy; };
  const auto source = make.source("source");
  const auto write = make.op("write", writing);
  const auto after = make.sink("after");
  make.connect(source, write);
  make.connect(write, after);
  running_chain r(make, 0);
  CHECK(r.chain.finish_step() == finish_status::busy);
  CHECK(r.chain.is_busy());
  CHECK(r.chain.finish_step() == finish_status::busy);
  CHECK(r.log->back() == "finish write");
  *busy = false;
  CHECK(r.chain.finish_step() == finish_status::done);
  CHECK(r.log->back() == "finish after");
}

TEST_CASE("the last operator too must be through with its I/O") {
  job_maker make;
  auto busy = std::make_shared<bool>(true);
  script writing;
  writing.is_busy = [busy] { return *busy; };
  const auto source = make.source("source");
  make.connect(source, make.sink("write", writing));
  running_chain r(make, 0);
  CHECK(r.chain.finish_step() == finish_status::busy);
  *busy = false;
  CHECK(r.chain.finish_step() == finish_status::done);
}

TEST_CASE("output channels are numbered through over all exchanges of a chain") {
  job_maker make;
  make.parallelism = 3;
  const auto source = make.source("source");
  const auto a = make.sink("a");
  const auto b = make.sink("b");
  make.connect(source, a, partitioning::rebalance);
  make.connect(source, b, partitioning::broadcast);
  fake_services world;
  const auto graph = make.build();
  operator_chain chain(graph, subtask(0), *make.program, world, {});
  CHECK(chain.exchanges().size() == 2);
  CHECK(chain.output_channel_count() == 6);
  std::uint32_t index = 0;
  CHECK(&chain.exchange_of_channel(4, index) == chain.exchanges()[1].get());
  CHECK(index == 1);
}

TEST_CASE("a program that lacks code for the graph is an error, not a crash") {
  const auto make = tree();
  const auto graph = make.build();
  fake_services world;
  auto program = *make.program;
  program.operators.resize(2);
  CHECK_THROWS_AS(operator_chain(graph, subtask(1), program, world, {}), failure);
  program = *make.program;
  program.operators[2] = nullptr;
  CHECK_THROWS_AS(operator_chain(graph, subtask(1), program, world, {}), failure);
  program = *make.program;
  program.routers.resize(1);
  CHECK_THROWS_AS(operator_chain(graph, subtask(1), program, world, {}), failure);
}

TEST_CASE("accumulators of all operators of a chain are merged") {
  job_maker make;
  script counting;
  counting.on_open = [](operator_context& c) { c.runtime().sum_accumulator("opened") += 1; };
  const auto source = make.source("source", counting);
  make.connect(source, make.sink("map", counting));
  running_chain r(make, 0);
  CHECK(r.chain.accumulators().at("opened").value ==
        std::variant<std::int64_t, double>(std::int64_t{2}));
  CHECK(r.chain.runtime(1).operator_name() == "map");
}

TEST_CASE("a wake-up that was asked for stays when an earlier one comes twice") {
  using std::chrono::milliseconds;
  const auto waking_after = [](milliseconds pause) {
    script what;
    what.on_open = [pause](operator_context& c) { c.wake_at(c.time().now() + pause); };
    what.on_processing_time = [](timestamp_ms, collector<std::int64_t>&) {};
    return what;
  };
  job_maker make;
  const auto source = make.source("source");
  const auto soon = make.op("soon", waking_after(milliseconds(1)));
  const auto later = make.sink("later", waking_after(milliseconds(5)));
  make.connect(source, soon, partitioning::rebalance);
  make.connect(soon, later);
  running_chain t(make, 1);
  const auto start = t.world.watch.now();
  t.world.watch.advance(milliseconds(1));
  // Some other event leads here when the first is due; then comes the task's own call for it, for
  // which it forgets what it was asked.
  t.chain.wake_operators(t.world.watch.now());
  CHECK(*t.log == call_log{"woken soon"});
  t.world.wakes.clear();
  t.chain.wake_operators(t.world.watch.now());
  REQUIRE(t.world.wakes.size() == 1);
  CHECK(t.world.wakes.front() == start + milliseconds(5));
  t.world.watch.advance(milliseconds(4));
  t.chain.wake_operators(t.world.watch.now());
  CHECK(*t.log == call_log{"woken soon", "woken later"});
}

TEST_CASE("rows that come while a barrier waits are prepared for, too") {
  job_maker make;
  const auto source = make.source("far source");
  script ticking;
  ticking.on_open = [](operator_context& c) { c.wake_at(c.time().now()); };
  ticking.on_processing_time = [](timestamp_ms, collector<std::int64_t>& out) { out.emit(1); };
  ticking.on_prepare_snapshot = [](collector<std::int64_t>&) {};
  const auto head = make.op("head", ticking);
  script holding;
  holding.on_prepare_snapshot = [](collector<std::int64_t>&) {};
  const auto held = make.op("held", holding);
  make.connect(source, head, partitioning::rebalance);
  make.connect(head, held);
  make.connect(held, make.sink("far sink"), partitioning::rebalance);
  running_chain t(make, 1);
  t.chain.prepare_snapshot({1});
  CHECK(*t.log == call_log{"prepare head 1", "prepare held 1"});
  t.log->clear();
  t.chain.prepare_snapshot({1});
  CHECK(t.log->empty());
  t.chain.wake_operators(t.world.watch.now());
  t.log->clear();
  t.chain.prepare_snapshot({1});
  CHECK(*t.log == call_log{"prepare held 1"});
  t.log->clear();
  t.chain.prepare_snapshot({2});
  CHECK(*t.log == call_log{"prepare head 2", "prepare held 2"});
}

}  // namespace operator_chain_test
