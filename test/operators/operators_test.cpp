#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/operators/filter.hpp"
#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/generator_source.hpp"
#include "millrace/operators/keyed_fold.hpp"
#include "millrace/operators/map.hpp"
#include "millrace/operators/sequence_source.hpp"
#include "support/operator_harness.hpp"

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

TEST_CASE("a sequence is split into contiguous parts, to the ends of int64") {
  const auto part = [](std::int64_t first, std::int64_t last, std::uint32_t s, std::uint32_t n) {
    runtime_context::identity self;
    self.subtask_index = s;
    self.parallelism = n;
    operator_harness<int, std::int64_t> source(make_sequence_source(first, last), self);
    source.open();
    source.poll_all();
    return source.take();
  };
  using numbers = std::vector<std::int64_t>;
  CHECK(part(1, 5, 0, 2) == numbers{1, 2});
  CHECK(part(1, 5, 1, 2) == numbers{3, 4, 5});
  CHECK(part(1, 0, 0, 1).empty());
  CHECK(part(1, 2, 0, 3).empty());
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  CHECK(part(max - 1, max, 0, 1) == numbers{max - 1, max});
}

TEST_CASE("a generator with a rate emits what is due and says when to look again") {
  using namespace std::chrono_literals;
  operator_harness<int, std::uint64_t> source(make_generator_source<std::uint64_t>(
      [](std::uint64_t i) { return i; }, {.count = {}, .per_second = 4.0}));
  source.open();
  CHECK(source.poll_all() == poll_status::idle);
  CHECK(source.take().empty());
  CHECK(source.woken_at() == source.clock_now().now() + 250ms);
  source.clock_now().advance(600ms);
  source.poll_all();
  CHECK(source.take().size() == 2);
  // A stall of a minute is made up for by a second's worth only.
  source.clock_now().advance(60s);
  source.poll_all();
  CHECK(source.take().size() <= 8);
}
