#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

namespace pipeline_test {

using namespace millrace;
using test::local_runner;
using test::pipeline_settings;

namespace {

struct word_count {
  std::string word;
  std::int64_t count;
  bool operator==(const word_count&) const = default;
};

struct reading {
  std::int32_t sensor;
  double value;
  std::string note;
  bool operator==(const reading&) const = default;
};

constexpr std::uint64_t seeds = 12;

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<std::string> some_lines() {
  std::vector<std::string> lines;
  for (int i = 0; i < 300; ++i)
    lines.push_back("w" + std::to_string(i % 7) + " a-rather-long-word-number-" +
                    std::to_string(i % 13) + " w" + std::to_string(i));
  return lines;
}

std::map<std::string, std::int64_t> reference_counts(const std::vector<std::string>& lines) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& line : lines) {
    std::istringstream words(line);
    for (std::string word; words >> word;) ++counts[word];
  }
  return counts;
}

void split(const std::string& line, collector<word_count>& out) {
  std::istringstream words(line);
  for (std::string word; words >> word;) out.emplace(word, 1);
}

stream_environment make_env(std::uint64_t seed, pipeline_settings settings = {}) {
  settings.seed = seed;
  return stream_environment({}, std::make_shared<local_runner>(settings));
}

}  // namespace

TEST_CASE("word count in batch mode emits each word's final count once") {
  const auto lines = some_lines();
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    env.set_runtime_mode(graph::runtime_mode::batch);
    std::map<std::string, std::int64_t> counts;
    for (const auto& wc : env.from_collection(lines)
                              .rebalance()
                              .flat_map<word_count>(split)
                              .key_by(&word_count::word)
                              .sum(&word_count::count)
                              .execute_and_collect()) {
      CHECK(counts.emplace(wc.word, wc.count).second);
    }
    CHECK(counts == reference_counts(lines));
  }
}

TEST_CASE("word count in streaming mode emits every update in order per word") {
  const auto lines = some_lines();
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    std::map<std::string, std::int64_t> counts;
    for (const auto& wc : env.from_collection(lines)
                              .rebalance()
                              .flat_map(split)
                              .key_by(&word_count::word)
                              .sum(&word_count::count)
                              .execute_and_collect()) {
      CHECK(wc.count == ++counts[wc.word]);
    }
    CHECK(counts == reference_counts(lines));
  }
}

TEST_CASE("map, filter and flat_map keep the order of a single subtask") {
  auto env = make_env(3);
  const auto rows = env.from_sequence(1, 1000)
                        .filter([](std::int64_t i) { return i % 3 == 0; })
                        .map([](std::int64_t i) { return std::to_string(i); })
                        .flat_map([](const std::string& text, collector<std::string>& out) {
                          out.emit(text);
                          out.emit(text + "!");
                        })
                        .execute_and_collect();
  REQUIRE(rows.size() == 666);
  CHECK(rows[0] == "3");
  CHECK(rows[1] == "3!");
  CHECK(rows.back() == "999!");
}

TEST_CASE("a stream that is consumed twice gives every record both ways") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    const auto numbers = env.from_sequence(1, 100);
    const auto plus = numbers.map([](std::int64_t i) { return i + 1000; });
    const auto odd = numbers.filter([](std::int64_t i) { return i % 2 == 1; });
    const auto all = sorted(plus.union_with(odd, numbers).execute_and_collect());
    REQUIRE(all.size() == 250);
    CHECK(std::accumulate(all.begin(), all.end(), std::int64_t{0}) == 5050 + 105050 + 2500);
  }
}

TEST_CASE("a function that changes its copy of a record does not disturb the other consumers") {
  auto env = make_env(5);
  const auto words = env.from_elements("a long enough text to be on the heap", "another such text");
  const auto taken = words.map([](std::string word) { return word + "1"; });
  const auto again = words.map([](std::string word) { return std::move(word) + "2"; });
  CHECK(sorted(taken.union_with(again, words).execute_and_collect()) ==
        std::vector<std::string>{"a long enough text to be on the heap",
                                 "a long enough text to be on the heap1",
                                 "a long enough text to be on the heap2", "another such text",
                                 "another such text1", "another such text2"});
}

TEST_CASE("aggregations follow Flink: min keeps the first record's other fields, min_by does not") {
  const std::vector<reading> readings{
      {1, 5.0, "first"}, {1, 3.0, "second"}, {1, 3.0, "third"}, {1, 9.0, "fourth"}};
  const auto last = [&](auto aggregate) {
    auto env = make_env(1);
    env.set_runtime_mode(graph::runtime_mode::batch);
    const auto rows =
        aggregate(env.from_collection(readings).key_by(&reading::sensor)).execute_and_collect();
    REQUIRE(rows.size() == 1);
    return rows[0];
  };
  CHECK(last([](auto s) { return s.min(&reading::value); }) == reading{1, 3.0, "first"});
  CHECK(last([](auto s) { return s.max(&reading::value); }) == reading{1, 9.0, "first"});
  CHECK(last([](auto s) { return s.min_by(&reading::value); }) == reading{1, 3.0, "second"});
  CHECK(last([](auto s) { return s.max_by(&reading::value); }) == reading{1, 9.0, "fourth"});
  CHECK(last([](auto s) { return s.sum(&reading::value); }) == reading{1, 20.0, "first"});
  CHECK(last([](auto s) {
          return s.reduce([](const reading& a, const reading& b) {
            return reading{a.sensor, a.value + b.value, a.note + b.note};
          });
        }) == reading{1, 20.0, "firstsecondthirdfourth"});
}

TEST_CASE("keys may be composite, computed, tuples' fields, or the record itself") {
  auto env = make_env(2);
  env.set_parallelism(3);
  env.set_runtime_mode(graph::runtime_mode::batch);
  const auto pairs = env.from_sequence(0, 99).map(
      [](std::int64_t i) { return std::tuple(i % 2, std::to_string(i % 5), std::int64_t{1}); });
  CHECK(pairs.key_by(field<0>, field<1>).sum(field<2>).execute_and_collect().size() == 10);
  CHECK(pairs.key_by([](const auto& p) { return std::get<1>(p) + "x"; })
            .sum(field<2>)
            .execute_and_collect()
            .size() == 5);
  const auto sums = sorted(env.from_sequence(1, 9)
                               .map([](std::int64_t i) { return i % 3; })
                               .key_by(std::identity{})
                               .sum()
                               .execute_and_collect());
  CHECK(sums == std::vector<std::int64_t>{0, 3, 6});
}

TEST_CASE("composite keys of texts are found in the record, and may be a std::tie") {
  struct sale {
    std::string shop, article;
    std::int64_t pieces;
    bool operator==(const sale&) const = default;
  };
  const std::string far = "a shop whose name is too long to lie inside its object";
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 3);
    env.set_runtime_mode(graph::runtime_mode::batch);
    const auto sales = env.from_elements<sale>(
        {{"a", "x", 1}, {far, "x", 2}, {"a", "y", 4}, {far, "x", 8}, {"a", "x", 16}});
    const auto pieces = [](const std::vector<sale>& rows) {
      std::map<std::pair<std::string, std::string>, std::int64_t> all;
      for (const auto& row : rows)
        CHECK(all.emplace(std::pair(row.shop, row.article), row.pieces).second);
      return all;
    };
    const decltype(pieces({})) expected{{{"a", "x"}, 17}, {{"a", "y"}, 4}, {{far, "x"}, 10}};
    CHECK(pieces(
              sales.key_by(&sale::shop, &sale::article).sum(&sale::pieces).execute_and_collect()) ==
          expected);
    CHECK(pieces(sales.key_by([](const sale& s) { return std::tie(s.shop, s.article); })
                     .sum(&sale::pieces)
                     .execute_and_collect()) == expected);
    CHECK(pieces(sales.key_by(&sale::shop, [](const sale& s) { return s.article + "!"; })
                     .sum(&sale::pieces)
                     .execute_and_collect()) == expected);
  }
}

TEST_CASE("a stream united with itself comes twice, keyed or not") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 3);
    const auto numbers = env.from_sequence(1, 3);
    CHECK(sorted(numbers.union_with(numbers).execute_and_collect()) ==
          std::vector<std::int64_t>{1, 1, 2, 2, 3, 3});
    env.set_runtime_mode(graph::runtime_mode::batch);
    const auto sums = numbers.union_with(numbers, env.from_elements<std::int64_t>({1, 3}))
                          .key_by(std::identity{})
                          .sum()
                          .execute_and_collect();
    CHECK(sorted(sums) == std::vector<std::int64_t>{3, 4, 9});
  }
}

TEST_CASE("an empty collection is a stream that ends") {
  auto env = make_env(1);
  CHECK(env.from_collection(std::vector<int>{}).execute_and_collect().empty());
  env.set_runtime_mode(graph::runtime_mode::batch);
  CHECK(env.from_collection(std::vector<int>{})
            .key_by(std::identity{})
            .sum()
            .execute_and_collect()
            .empty());
}

TEST_CASE("integer sums wrap around") {
  auto env = make_env(2);
  const auto rows = env.from_elements(std::numeric_limits<std::int64_t>::max(), std::int64_t{1})
                        .key_by([](std::int64_t) { return 0; })
                        .sum()
                        .execute_and_collect();
  CHECK(rows.back() == std::numeric_limits<std::int64_t>::min());
}

namespace {

/// Which subtask got how many of 120 records that two senders spread over four receivers.
std::map<int, int> received_by(std::uint64_t seed, auto partition) {
  struct tag {
    int me = 0;
    void open(runtime_context& context) { me = static_cast<int>(context.subtask_index()); }
    int operator()(std::int64_t) const { return me; }
  };
  auto env = make_env(seed);
  env.set_parallelism(4);
  std::map<int, int> counts;
  for (const int subtask :
       partition(env.from_sequence(1, 120).set_parallelism(2)).map(tag{}).execute_and_collect())
    ++counts[subtask];
  return counts;
}

}  // namespace

TEST_CASE("partitioners spread records as they say") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    CHECK(received_by(seed, [](auto s) { return s.rebalance(); }) ==
          std::map<int, int>{{0, 30}, {1, 30}, {2, 30}, {3, 30}});
    CHECK(received_by(seed, [](auto s) { return s.rescale(); }) ==
          std::map<int, int>{{0, 30}, {1, 30}, {2, 30}, {3, 30}});
    CHECK(received_by(seed, [](auto s) { return s.broadcast(); }) ==
          std::map<int, int>{{0, 120}, {1, 120}, {2, 120}, {3, 120}});
    CHECK(received_by(seed, [](auto s) { return s.global(); }) == std::map<int, int>{{0, 120}});
    CHECK(received_by(seed, [](auto s) {
            return s.partition_custom([](std::int64_t key, std::uint32_t) { return key == 1; },
                                      std::identity{});
          }) == std::map<int, int>{{0, 119}, {1, 1}});
    int shuffled = 0;
    for (const auto& [subtask, count] : received_by(seed, [](auto s) { return s.shuffle(); })) {
      CHECK(count > 10);
      shuffled += count;
    }
    CHECK(shuffled == 120);
  }
}

namespace {

std::string failure_of(auto&& call) {
  try {
    call();
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("a custom partitioner that chooses no channel fails the job with the operator's name") {
  auto env = make_env(1);
  env.set_parallelism(2);
  env.from_sequence(1, 10)
      .name("numbers")
      .partition_custom([](std::int64_t, std::uint32_t n) { return n; }, std::identity{})
      .discard();
  CHECK(
      failure_of([&] { env.execute(); }) ==
      "operator 'numbers': the custom partitioner chose channel 2, but there are only 2 (0 to 1)");
}

TEST_CASE("what a user function throws fails the job with the operator's name") {
  auto env = make_env(1);
  env.from_sequence(1, 10)
      .map([](std::int64_t i) -> std::int64_t {
        if (i == 7) throw std::runtime_error("seven is bad");
        return i;
      })
      .name("picky")
      .filter([](std::int64_t) { return true; })
      .discard();
  CHECK(failure_of([&] { env.execute(); }) == "operator 'picky': seven is bad");
}

TEST_CASE("a generator makes the same records whatever the parallelism") {
  std::vector<std::uint64_t> expected(101);
  std::iota(expected.begin(), expected.end(), std::uint64_t{0});
  for (std::uint32_t parallelism = 1; parallelism <= 5; ++parallelism) {
    auto env = make_env(parallelism);
    env.set_parallelism(parallelism);
    CHECK(
        sorted(env.from_generator([](std::uint64_t i) { return i; }, 101).execute_and_collect()) ==
        expected);
  }
}

TEST_CASE("an unbounded stream is collected up to a limit") {
  auto env = make_env(1);
  const auto rows =
      env.from_generator([](std::uint64_t i) { return i * i; }).execute_and_collect(5);
  CHECK(rows == std::vector<std::uint64_t>{0, 1, 4, 9, 16});
}

TEST_CASE("a generator keeps its rate") {
  auto env = make_env(1);
  std::uint64_t made = 0;
  env.from_generator([](std::uint64_t i) { return i; }, {.count = 50, .per_second = 10})
      .add_sink([&made](const std::uint64_t&) { ++made; });
  const auto took = env.execute().duration;
  CHECK(made == 50);
  CHECK(took >= std::chrono::milliseconds(4'900));
  CHECK(took <= std::chrono::milliseconds(5'000));
}

TEST_CASE("what was executed is not executed again, and streams can be reused") {
  auto env = make_env(1);
  int sunk = 0;
  const auto numbers = env.from_sequence(1, 3);
  numbers.add_sink([&sunk](std::int64_t) { ++sunk; });
  env.execute();
  CHECK(sunk == 3);
  CHECK(numbers.map([](std::int64_t i) { return i * 2; }).execute_and_collect() ==
        std::vector<std::int64_t>{2, 4, 6});
  CHECK(sunk == 3);
}

TEST_CASE("executing when there is nothing new to execute fails") {
  auto env = make_env(1);
  env.from_sequence(1, 3).discard();
  env.execute();
  CHECK(failure_of([&] { env.execute(); }) == "the job has no operators: start with a source");
}

TEST_CASE("accumulators come back merged over all subtasks") {
  struct counting : rich_function {
    std::int64_t* rows = nullptr;
    std::int64_t* most = nullptr;
    void open(runtime_context& context) override {
      rows = &context.sum_accumulator("rows");
      most = &context.max_accumulator("most");
    }
    void operator()(std::int64_t i) {
      ++*rows;
      *most = std::max(*most, i);
    }
  };
  auto env = make_env(1);
  env.set_parallelism(3);
  env.from_sequence(1, 100).add_sink(counting{});
  const auto result = env.execute("counting");
  CHECK(result.name == "counting");
  CHECK(std::get<std::int64_t>(result.accumulators.at("rows").value) == 100);
  CHECK(std::get<std::int64_t>(result.accumulators.at("most").value) == 100);
}

TEST_CASE("what close throws at the end fails the job") {
  struct grumpy {
    void close() { throw std::runtime_error("not like this"); }
    std::int64_t operator()(std::int64_t i) const { return i; }
  };
  auto env = make_env(1);
  env.from_sequence(1, 3).map(grumpy{}).name("grumpy").discard();
  CHECK(failure_of([&] { env.execute(); }) == "operator 'grumpy': not like this");
}

TEST_CASE("credits bound what waits in front of a task") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto env = make_env(seed);
    env.set_parallelism(3);
    env.from_sequence(1, 20'000).shuffle().map([](std::int64_t i) { return i; }).discard();
    auto plan = env.builder()->plan({});
    REQUIRE(plan);
    test::memory_files files;
    test::local_pipeline pipeline(plan->graph, plan->program, files, {.seed = seed});
    pipeline.run();
    CHECK(pipeline.queued_bytes_max() <= 3 * 2048);
  }
}

}  // namespace pipeline_test
