#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/operators/collecting_sink.hpp"
#include "millrace/operators/filter.hpp"
#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/function_source.hpp"
#include "millrace/operators/keyed_fold.hpp"
#include "millrace/operators/map.hpp"
#include "support/operator_harness.hpp"

namespace operators_test {

using namespace millrace;
using test::operator_harness;

namespace {

using texts = std::vector<std::string>;

constexpr auto both = {rows_access::shared, rows_access::exclusive};

const std::string long_text = "a text that is too long to lie inside its object";

}  // namespace

TEST_CASE("map leaves rows alone that others look at") {
  for (const auto access : both) {
    operator_harness<std::string, std::string> op(
        make_map<std::string, std::string>([](std::string text) { return std::move(text) + "!"; }));
    op.open();
    op.process({long_text, "b"}, access);
    CHECK(op.take() == texts{long_text + "!", "b!"});
  }
}

TEST_CASE("filter asks once for each row, in order") {
  const std::vector<std::vector<int>> patterns{{},       {1}, {0}, {1, 1}, {0, 0}, {1, 0, 1, 1, 0},
                                               {0, 1, 0}};
  for (const auto access : both) {
    for (const auto& pattern : patterns) {
      std::vector<int> rows, kept;
      for (int i = 0; i < static_cast<int>(pattern.size()); ++i) {
        rows.push_back(10 * i + pattern[i]);
        if (pattern[i] != 0) kept.push_back(rows.back());
      }
      std::vector<int> asked;
      operator_harness<int, int> op(make_filter<int>([&asked](const int& row) {
        asked.push_back(row);
        return row % 10 == 1;
      }));
      op.open();
      op.process(rows, access);
      CHECK(op.take() == kept);
      CHECK(asked == rows);
    }
  }
}

TEST_CASE("flat_map may emit nothing, or more than a batch") {
  operator_harness<int, int> op(make_flat_map<int, int>([](int n, collector<int>& out) {
    for (int i = 0; i < n; ++i) out.emit(i);
  }));
  op.open();
  op.process({0, 100, 0, 1});
  const auto rows = op.take();
  CHECK(rows.size() == 101);
  CHECK(rows[99] == 99);
  CHECK(rows[100] == 0);
}

TEST_CASE("keyed sums come as updates in streaming mode, once at the end in batch mode") {
  using row = std::pair<std::string, int>;
  const auto factory = make_keyed_fold<row>(field<0>, sum_fold<field_at<1>>{});
  for (const auto access : both) {
    operator_harness<row, row> streaming(factory);
    streaming.open();
    streaming.process({{"a", 1}, {long_text, 2}, {"a", 3}}, access);
    streaming.finish();
    CHECK(streaming.take() == std::vector<row>{{"a", 1}, {long_text, 2}, {"a", 4}});

    runtime_context::identity self;
    self.mode = runtime_mode::batch;
    operator_harness<row, row> batch(factory, self);
    batch.open();
    for (int round = 0; round < 3; ++round) {
      std::vector<row> rows;
      for (int i = 0; i < 1000; ++i) rows.push_back({"k" + std::to_string(i), 1});
      batch.process(rows, access);
    }
    CHECK(batch.take().empty());
    batch.finish();
    const auto results = batch.take();
    CHECK(results.size() == 1000);
    CHECK(std::all_of(results.begin(), results.end(), [](const row& r) { return r.second == 3; }));
  }
}

TEST_CASE("a snapshot of keyed sums has those of when it began, whatever is added meanwhile") {
  using row = std::pair<std::int64_t, std::int64_t>;
  const auto factory = make_keyed_fold<row>(field<0>, sum_fold<field_at<1>>{});
  std::vector<row> ones;
  for (std::int64_t key = 0; key < 500; ++key) ones.emplace_back(key, 1);
  operator_harness<row, row> op(factory);
  op.open();
  op.process(ones);
  op.keyed_state().begin_snapshot();
  const std::vector<row> some(ones.begin(), ones.begin() + 200);
  for (bool is_written = false; !is_written;) {
    op.process(some);
    snapshot_budget slice(500);
    is_written = op.keyed_state().write_snapshot(slice);
  }
  op.take();
  operator_harness<row, row> again(factory);
  again.keyed_state().restore(op.keyed_state().take_snapshot());
  again.open();
  again.process(ones);
  for (const auto& [key, sum] : again.take()) CHECK(sum == 2);
}

TEST_CASE("keyed sums go on from a checkpoint, by key group") {
  using row = std::pair<std::string, int>;
  const auto factory = make_keyed_fold<row>(field<0>, sum_fold<field_at<1>>{});
  const auto of_subtask = [](std::uint32_t index, std::uint32_t parallelism) {
    runtime_context::identity self;
    self.subtask_index = index;
    self.parallelism = parallelism;
    return self;
  };
  std::map<std::string, int> sums;
  std::vector<encoded_key_group> saved;
  {
    operator_harness<row, row> op(factory);
    op.open();
    for (int i = 0; i < 3'000; ++i) {
      const row one{long_text + std::to_string(i % 500), i};
      sums[one.first] += i;
      op.process({one});
    }
    saved = op.keyed_snapshot();
    CHECK(saved.size() == 128);
  }
  // The keys of each of two subtasks are in their groups.
  for (std::uint32_t index = 0; index < 2; ++index) {
    operator_harness<row, row> op(factory, of_subtask(index, 2));
    const auto groups = key_group_range_of(index, 128, 2);
    std::vector<encoded_key_group> its;
    for (const auto& each : saved)
      if (groups.contains(each.group)) its.push_back(each);
    op.keyed_state().restore(its);
    op.open();
    CHECK(op.keyed_snapshot() == its);
    for (const auto& [key, sum] : sums) {
      if (!groups.contains(key_group_of(key_hash(key), 128))) continue;
      op.process({{key, 1}});
      CHECK(op.take().back() == row{key, sum + 1});
    }
  }
}

TEST_CASE("collected rows of a checkpointed job come with the checkpoint behind them, once") {
  const auto rows = std::make_shared<collected_batches>();
  const auto factory = make_collecting_sink(record_type_of<std::string>(), rows);
  std::vector<saved_operator_state> saved;
  {
    operator_harness<std::string, std::string> op(factory);
    op.take_checkpoints();
    op.open();
    op.process({"a", "b"});
    CHECK_FALSE(rows->is_full());
    op.checkpoint({1});
    op.process({"c"});
    saved = op.checkpoint({2});
    op.op().on_checkpoint_complete({1});
    op.process({"lost"});
  }
  // The second is complete, but nobody has told the sink.
  for (int restart = 0; restart < 2; ++restart) {
    operator_harness<std::string, std::string> op(factory);
    op.take_checkpoints();
    op.restore(saved);
    op.open();
    if (restart == 0) continue;
    op.process({"d"});
    op.checkpoint({3});
    op.op().on_checkpoint_complete({3});
  }
  CHECK(take_rows<std::string>(*rows) == texts{"a", "b", "c", "d"});
}

TEST_CASE("collected rows of a job without checkpoints are those of the last attempt") {
  const auto rows = std::make_shared<collected_batches>();
  const auto factory = make_collecting_sink(record_type_of<std::string>(), rows);
  for (std::uint32_t attempt = 0; attempt < 2; ++attempt)
    for (std::uint32_t index = 0; index < 2; ++index) {
      if (attempt == 1 && index == 1) continue;
      runtime_context::identity self;
      self.subtask_index = index;
      self.parallelism = 2;
      self.attempt = attempt;
      operator_harness<std::string, std::string> op(factory, self);
      op.open();
      op.process({std::to_string(index), std::to_string(attempt)});
    }
  CHECK(take_rows<std::string>(*rows) == texts{"1", "0", "0", "1"});
}

TEST_CASE("collected rows of a job without checkpoints are part of no savepoint") {
  const auto rows = std::make_shared<collected_batches>();
  const auto factory = make_collecting_sink(record_type_of<std::string>(), rows);
  std::vector<saved_operator_state> waiting;
  {
    operator_harness<std::string, std::string> op(factory);
    op.take_checkpoints();
    op.open();
    op.process({"a"});
    waiting = op.checkpoint({1});
  }
  // What a job with checkpoints had not brought yet comes at once.
  operator_harness<std::string, std::string> op(factory);
  op.restore(waiting);
  op.open();
  op.process({"b"});
  const auto saved = op.checkpoint({2});
  op.op().on_checkpoint_complete({2});
  operator_harness<std::string, std::string> next(factory);
  next.restore(saved);
  next.open();
  CHECK(take_rows<std::string>(*rows) == texts{"a", "b"});
}

TEST_CASE("what no checkpoint can hold refuses to be part of one, with its name") {
  runtime_context::identity self;
  self.operator_name = "numbers";
  operator_harness<int, int> op(
      make_function_source<int>([](collector<int>&) { return poll_status::finished; }), self);
  op.take_checkpoints();
  try {
    op.open();
    FAIL("it should have refused");
  } catch (const failure& refused) {
    CHECK(refused.code() == errc::invalid_config);
    CHECK(std::string(refused.what()) ==
          "operator 'numbers' can't be part of a job that takes checkpoints, because it is a "
          "function, which would begin afresh after a restart: leave "
          "execution.checkpointing.interval out, or write a source with splits, which goes on "
          "where it was");
  }
  const auto advice = [&](std::string_view instead) {
    try {
      refuse_checkpoints(op, "of a reason", instead);
    } catch (const failure& refused) {
      const std::string all = refused.what();
      return all.substr(all.find("of a reason"));
    }
    return std::string("none");
  };
  CHECK(advice("") == "of a reason: leave execution.checkpointing.interval out");
  CHECK(advice(run_in_batch_mode) ==
        "of a reason: leave execution.checkpointing.interval out, or run the job with "
        "execution.runtime-mode = batch");
}

TEST_CASE("batch results are emitted about a batch at a time") {
  runtime_context::identity self;
  self.mode = runtime_mode::batch;
  operator_harness<int, int> op(make_keyed_fold<int>(std::identity{}, sum_fold<std::identity>{}),
                                self);
  op.open();
  std::vector<int> rows(100);
  for (int i = 0; i < 100; ++i) rows[i] = i;
  op.process(rows);
  int calls = 0;
  for (bool is_done = false; !is_done; ++calls) {
    is_done = op.op().finish();
    CHECK(op.take().size() <= 8);
  }
  CHECK(calls >= 13);
}

TEST_CASE("what an operator emits has the timestamp of the record that caused it") {
  for (const auto access : both) {
    operator_harness<int, std::string> map(
        make_map<int, std::string>([](int n) { return std::to_string(n); }));
    map.open();
    map.process_timed({1, 2, 3}, {10, 20, 30}, access);
    CHECK(map.timestamps() == timestamp_column{10, 20, 30});
    map.take();
    map.process({4}, access);
    CHECK(map.timestamps() == timestamp_column{no_timestamp});

    operator_harness<int, int> in_place(make_map<int, int>([](int n) { return n + 1; }));
    in_place.open();
    in_place.process_timed({1, 2}, {10, 20}, access);
    CHECK(in_place.timestamps() == timestamp_column{10, 20});

    operator_harness<int, int> filter(make_filter<int>([](int n) { return n % 2 == 0; }));
    filter.open();
    filter.process_timed({2, 3, 4, 5, 6}, {20, 30, 40, 50, 60}, access);
    CHECK(filter.timestamps() == timestamp_column{20, 40, 60});
    filter.take();
    filter.process_timed({2, 4}, {20, 40}, access);
    CHECK(filter.timestamps() == timestamp_column{20, 40});

    operator_harness<int, int> flat_map(make_flat_map<int, int>([](int n, collector<int>& out) {
      for (int i = 0; i < n; ++i) out.emit(i);
    }));
    flat_map.open();
    flat_map.process_timed({2, 0, 9}, {20, 1, 90}, access);
    auto expected = timestamp_column{20, 20};
    expected.insert(expected.end(), 9, 90);
    CHECK(flat_map.timestamps() == expected);

    const auto self = [](int n) { return n % 2; };
    operator_harness<int, int> sum(make_keyed_fold<int>(self, sum_fold<std::identity>{}));
    sum.open();
    sum.process_timed({1, 3, 2}, {10, 30, 20}, access);
    CHECK(sum.timestamps() == timestamp_column{10, 30, 20});
    CHECK(sum.take() == std::vector<int>{1, 4, 2});
  }
}

TEST_CASE("operators pass event time on") {
  operator_harness<int, int> map(make_map<int, int>([](int n) { return n; }));
  map.open();
  map.advance_to(5);
  map.op().on_status(stream_status::idle);
  CHECK(map.watermarks() == std::vector<timestamp_ms>{5});
  CHECK(map.statuses() == std::vector<stream_status>{stream_status::idle});
}

}  // namespace operators_test
