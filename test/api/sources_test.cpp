#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "millrace/connectors/file_enumerator.hpp"
#include "millrace/millrace.hpp"
#include "source/scripted_source.hpp"
#include "support/local_runner.hpp"
#include "support/time_probe.hpp"

namespace sources_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::local_runner;
using test::mark;
using test::mark_source;
using test::mark_split;

namespace {

constexpr std::uint64_t seeds = 6;

std::shared_ptr<local_runner> make_runner(std::uint64_t seed) {
  return std::make_shared<local_runner>(test::pipeline_settings{.seed = seed});
}

template <class T>
std::vector<T> sorted(std::vector<T> all) {
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<mark_split> splits(int count, std::int64_t records) {
  std::vector<mark_split> all;
  for (int i = 0; i < count; ++i) all.push_back({"s" + std::to_string(i), i, count, records});
  return all;
}

}  // namespace

TEST_CASE("a slow reader takes few splits, the others the rest") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    const auto source = std::make_shared<mark_source>(splits(40, 10));
    source->slow_subtask = 1;
    stream_environment env({}, make_runner(seed));
    env.set_parallelism(3);
    const auto got =
        env.from_source(std::shared_ptr<const source_base<mark>>(source)).execute_and_collect();
    CHECK(got.size() == 400);
    CHECK(std::set<std::string>(source->log->given.begin(), source->log->given.end()).size() == 40);
    CHECK(source->log->by_subtask[1] <= 1);
    CHECK(source->log->by_subtask[0] > 1);
    CHECK(source->log->by_subtask[2] > 1);
  }
}

TEST_CASE("event time per split: records of splits at different speeds are not late anywhere") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    // Split 0 is at 0, 1, 2, …, split 1 at 0, 100, 200, …: one reader reads both by turns.
    const auto source = std::make_shared<mark_source>(
        std::vector<mark_split>{{"slow", 0, 1, 300}, {"fast", 0, 100, 300}, {"alone", 0, 10, 300}},
        false);
    const auto log = std::make_shared<test::time_log>();
    stream_environment env({}, make_runner(seed));
    env.set_parallelism(2);
    const auto got =
        test::probed(env.from_source(std::shared_ptr<const source_base<mark>>(source),
                                     watermark_strategy<mark>::for_monotonous_timestamps()
                                         .with_timestamp_assigner(&mark::at),
                                     "marks")
                         .rebalance(),
                     log)
            .execute_and_collect();
    CHECK(got.size() == 900);
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
    CHECK(log->ends == 2);
  }
}

TEST_CASE("windows close over splits read by turns as if each had been read on its own") {
  struct count {
    std::int64_t window = 0;
    std::int64_t rows = 0;
    auto operator<=>(const count&) const = default;
  };
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    const auto source = std::make_shared<mark_source>(splits(5, 60), false);
    stream_environment env({}, make_runner(seed));
    env.set_parallelism(2);
    const auto counts =
        env.from_source(
               std::shared_ptr<const source_base<mark>>(source),
               watermark_strategy<mark>::for_monotonous_timestamps().with_timestamp_assigner(
                   &mark::at),
               "marks")
            .map([](const mark& m) {
              return count{m.at / 100, 1};
            })
            .key_by(&count::window)
            .window(tumbling_event_time_windows::of(100ms))
            .reduce([](const count& a, const count& b) {
              return count{a.window, a.rows + b.rows};
            })
            .execute_and_collect();
    CHECK(sorted(counts) == std::vector<count>{{0, 100}, {1, 100}, {2, 100}});
  }
}

TEST_CASE("what a generator or a sequence makes does not depend on the parallelism") {
  for (std::uint32_t p = 1; p <= 5; ++p) {
    stream_environment env({}, make_runner(p));
    env.set_parallelism(p);
    const auto numbers = env.from_sequence(-3, 40).execute_and_collect();
    CHECK(numbers.size() == 44);
    CHECK(sorted(numbers).front() == -3);
    CHECK(sorted(numbers).back() == 40);
    const auto made =
        env.from_generator([](std::uint64_t i) { return i * i; }, 30).execute_and_collect();
    CHECK(sorted(made).back() == 29 * 29);
    CHECK(made.size() == 30);
  }
}

TEST_CASE("a hybrid source reads all of one source before the next, whatever the parallelism") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto runner = make_runner(seed);
    std::string history;
    for (int i = 0; i < 200; ++i) history += "old " + std::to_string(i) + "\n";
    runner->files().put("/history/a", history.substr(0, 700));
    runner->files().put("/history/b", history.substr(700));
    hybrid_source<std::string> hybrid(make_text_files("/history", {.split_bytes = 100}));
    hybrid.then(boundedness::bounded, [](const switch_context& how) {
      const auto left = how.previous_state<file_enumeration>().waiting.size();
      return make_generator<std::string>(
          [left](std::uint64_t i) { return "new " + std::to_string(i + left); }, {.count = 50});
    });
    // Written by the sources' own tasks, in the order in which they emit.
    const auto log = std::make_shared<std::vector<std::string>>();
    stream_environment env({}, runner);
    env.set_parallelism(1 + seed % 4);
    const auto got = env.from_source(std::move(hybrid), "hybrid")
                         .map([log](const std::string& line) {
                           log->push_back(line);
                           return line;
                         })
                         .execute_and_collect();
    CHECK(got.size() >= 250);
    CHECK(std::set<std::string>(got.begin(), got.end()).contains("new 49"));
    const auto first_new = std::find_if(log->begin(), log->end(),
                                        [](const auto& line) { return line.starts_with("new"); });
    CHECK(std::none_of(first_new, log->end(),
                       [](const auto& line) { return line.starts_with("old"); }));
  }
}

TEST_CASE("a file that is large enough is read by several subtasks, each line once") {
  auto runner = make_runner(1);
  std::vector<std::string> lines;
  std::string text;
  for (int i = 10'000; i < 20'000; ++i) {
    lines.push_back(std::to_string(i) + std::string(95, '.'));
    text += lines.back() + '\n';
  }
  runner->files().put("/in", text);
  stream_environment env({}, runner);
  env.set_parallelism(3);
  struct with_reader : rich_function {
    std::uint32_t reader = 0;
    void open(runtime_context& self) override { reader = self.subtask_index(); }
    std::string operator()(const std::string& line) const {
      return std::to_string(reader) + ' ' + line;
    }
  };
  std::set<std::string> readers;
  std::vector<std::string> got;
  for (const auto& line : env.read_text_file("/in").map(with_reader{}).execute_and_collect()) {
    readers.insert(line.substr(0, 1));
    got.push_back(line.substr(2));
  }
  CHECK(readers.size() > 1);
  CHECK(sorted(got) == lines);
}

TEST_CASE("files that come into a directory that is watched are read, each once") {
  auto runner = make_runner(3);
  runner->files().put("/in/a", "a1\na2\n");
  stream_environment env({}, runner);
  env.set_parallelism(2);
  const auto lines = std::make_shared<std::vector<std::string>>();
  env.read_text_file("/in", file_source_options{}.monitor_continuously(10s))
      .map([lines](const std::string& line) {
        lines->push_back(line);
        return line;
      })
      .discard();
  const auto job = env.execute_async();
  const auto wait_for = [&](std::size_t count) {
    for (int i = 0; i < 1000 && lines->size() < count; ++i) CHECK_FALSE(job->wait_for(1ms));
    return sorted(*lines);
  };
  CHECK(wait_for(2) == std::vector<std::string>{"a1", "a2"});
  runner->files().put("/in/.b", "not yet\n");
  runner->files().put("/in/c", "c1");
  CHECK(wait_for(3) == std::vector<std::string>{"a1", "a2", "c1"});
  runner->files().put("/in/b", "b1\n");
  CHECK(wait_for(4) == std::vector<std::string>{"a1", "a2", "b1", "c1"});
  for (int i = 0; i < 20; ++i) CHECK_FALSE(job->wait_for(1ms));
  CHECK(lines->size() == 4);
  job->cancel();
}

TEST_CASE("sources that can't work are refused with the reason") {
  const auto failure_of = [](auto describe) -> std::string {
    auto runner = make_runner(1);
    runner->files().put("/in/ok", "x\n");
    stream_environment env({}, runner);
    try {
      describe(env);
      env.execute();
    } catch (const failure& e) {
      return e.what();
    }
    return "no failure";
  };
  CHECK(failure_of([](auto& env) { env.read_text_file("/none").discard(); }) ==
        "in 'read_text_file': cannot read '/none': No such file or directory");
  CHECK(failure_of([](auto& env) { env.read_text_file("/in/*.csv").discard(); }) ==
        "in 'read_text_file': cannot read '/in/*.csv': no file matches the pattern");
  CHECK(failure_of([](auto& env) {
          env.read_text_file("/none", file_source_options{}.monitor_continuously(1s)).discard();
        }) == "in 'read_text_file': cannot read '/none': No such file or directory");
  CHECK(failure_of([](auto& env) {
          env.read_text_file("/in", file_source_options{}.monitor_continuously(0s)).discard();
        }) == "monitor_continuously needs an interval above 0, not 0 ms");
  CHECK(failure_of([](auto& env) { env.read_text_file("/in", {.chunk_bytes = 0}).discard(); }) ==
        "file_source_options::chunk_bytes must be above 0");
  CHECK(failure_of([](auto& env) {
          hybrid_source<std::int64_t> hybrid(make_sequence(1, 2));
          hybrid.then(boundedness::bounded, [](const switch_context&) {
            return std::shared_ptr<const source_base<std::int64_t>>();
          });
          env.from_source(std::move(hybrid), "hybrid").discard();
        }) == "in 'hybrid': the function that makes source 2 of the hybrid source returned none");
}

}  // namespace sources_test
