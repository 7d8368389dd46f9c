#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/connectors/file_sink.hpp"
#include "support/forwarded_files.hpp"
#include "support/sink_harness.hpp"

namespace file_sink_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::memory_files;
using test::saved_sink;
using test::sink_harness;
using test::subtask;
using paths = std::vector<std::string>;

namespace {

struct sale {
  std::string country;
  int amount = 0;
  bool operator==(const sale&) const = default;
};

// One kind of sink for nearly all tests, so that one is compiled.
struct by_country {
  std::string_view bucket_of(const sale& s, const bucket_context&) const { return s.country; }
};
struct amount_format {
  void append_header(std::string&) const {}
  void append_line(std::string& out, const sale& s) const {
    out += std::to_string(s.amount) + '\n';
  }
};
using sale_sink = file_sink<sale, amount_format, by_country>;
using harness = sink_harness<sale, sale_sink>;

sale_sink sales(rolling_policy policy = rolling_policy::never()) {
  return sale_sink("/out", {}).with_rolling_policy(policy);
}

std::shared_ptr<memory_files> new_files() {
  return std::make_shared<memory_files>();
}

/// Files that readers see.
paths finished(const memory_files& files) {
  auto all = files.paths();
  std::erase_if(all, [](const auto& path) { return path.find("/.") != path.npos; });
  return all;
}
paths hidden(const memory_files& files) {
  auto all = files.paths();
  std::erase_if(all, [](const auto& path) { return path.find("/.") == path.npos; });
  return all;
}

/// The numbers in all files that readers see, sorted.
std::vector<int> visible(const memory_files& files) {
  std::vector<int> numbers;
  for (const auto& path : finished(files)) {
    const auto text = files.content(path);
    REQUIRE((text.empty() || text.back() == '\n'));  // no half line
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
      numbers.push_back(std::stoi(text.substr(at)));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string failure_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("a part is hidden while it is written and until its checkpoint is complete") {
  harness sink(sales());
  sink.take_checkpoints().open();
  sink.process({{"at", 1}, {"de", 2}, {"at", 3}});
  sink.run_io();
  CHECK(finished(sink.memory()).empty());
  sink.finish();
  CHECK(hidden(sink.memory()).size() == 2);
  static_cast<void>(sink.checkpoint(1));
  sink.run_io();
  CHECK(finished(sink.memory()).empty());
  sink.complete(1);
  sink.run_io();
  CHECK(sink.memory().paths() == paths{"/out/at/part-0-0", "/out/de/part-0-1"});
  CHECK(sink.memory().content("/out/at/part-0-0") == "1\n3\n");
}

TEST_CASE("parts end with the record that brings them to their size") {
  harness sink(sales({.part_bytes = 4}));
  sink.open();
  sink.process({{"", 1}, {"", 2}, {"", 3}, {"", 44444}});
  sink.process({{"", 5}});
  sink.run_io();
  CHECK(finished(sink.memory()) == paths{"/out/part-0-0", "/out/part-0-1"});
  sink.process({{"", 6}});
  sink.finish();
  CHECK(sink.memory().paths() == paths{"/out/part-0-0", "/out/part-0-1", "/out/part-0-2"});
  CHECK(sink.memory().content("/out/part-0-1") == "3\n44444\n");
  CHECK(sink.memory().content("/out/part-0-2") == "5\n6\n");
}

TEST_CASE("parts end when they are old, or when nothing comes for them") {
  harness sink(sales({.rollover_interval = 60s, .inactivity_interval = 20s}));
  sink.open();
  sink.process({{"old", 1}, {"idle", 2}});
  for (int i = 0; i < 3; ++i) {
    sink.pass_time(19s);
    sink.run_io();
    sink.process({{"old", 10 + i}});
  }
  sink.run_io();
  CHECK(finished(sink.memory()) == paths{"/out/idle/part-0-1"});  // after 20 seconds
  sink.pass_time(2999ms);
  sink.run_io();
  CHECK(finished(sink.memory()).size() == 1);
  sink.pass_time(1ms);
  sink.run_io();
  CHECK(finished(sink.memory()) == paths{"/out/idle/part-0-1", "/out/old/part-0-0"});
  CHECK(visible(sink.memory()) == std::vector{1, 2, 10, 11, 12});
}

TEST_CASE("parts end at checkpoints if that is asked for, else they go on") {
  for (const bool ends : {true, false}) {
    harness sink(sales(ends ? rolling_policy::only_on_checkpoint() : rolling_policy::never()));
    sink.take_checkpoints().open();
    sink.process({{"", 1}});
    static_cast<void>(sink.checkpoint(1));
    sink.complete(1);
    sink.process({{"", 2}});
    sink.run_io();
    CHECK(visible(sink.memory()) == (ends ? std::vector{1} : std::vector<int>{}));
    sink.finish();
    static_cast<void>(sink.checkpoint(2));
    sink.complete(2);
    sink.run_io();
    CHECK(visible(sink.memory()) == std::vector{1, 2});
    CHECK(finished(sink.memory()).size() == (ends ? 2 : 1));
    CHECK(hidden(sink.memory()).empty());
  }
}

TEST_CASE("a policy of nothing is refused") {
  CHECK_THROWS_AS(sales({.part_bytes = 0}), failure);
  CHECK_THROWS_AS(sales({.rollover_interval = 0s}), failure);
  CHECK_THROWS_AS(sales({.inactivity_interval = -1s}), failure);
}

TEST_CASE("a restart goes on with open parts as they were at the checkpoint") {
  const auto files = new_files();
  saved_sink saved;
  std::vector<int> expected{1, 2};
  {
    harness first(sales(), subtask(0, 1), files);
    first.take_checkpoints().open();
    first.process({{"at", 1}, {"de", 2}});
    saved = first.checkpoint(1);
    first.complete(1);
    first.process({{"at", 98}, {"fr", 99}});
    first.run_io();
  }
  for (std::uint32_t attempt = 1; attempt < 4; ++attempt) {
    files->lose_power();
    harness next(sales(), subtask(0, 1, attempt), files);
    next.take_checkpoints().restore(saved).open();
    next.process({{"at", 10 + static_cast<int>(attempt)}});
    expected.push_back(10 + static_cast<int>(attempt));
    next.run_io();
    saved = next.checkpoint(1 + attempt);
    next.complete(1 + attempt);
    next.run_io();
    CHECK(hidden(*files).size() == 2);  // neither what was lost nor what was copied is left
  }
  harness last(sales(), subtask(0, 1, 4), files);
  last.take_checkpoints().restore(saved).open();
  last.finish();
  static_cast<void>(last.checkpoint(9));
  last.complete(9);
  last.run_io();
  CHECK(visible(*files) == expected);
  CHECK(hidden(*files).empty());
}

TEST_CASE("an attempt that is lost but still writes does no harm") {
  const auto files = new_files();
  harness zombie(sales(), subtask(0, 1), files);
  zombie.take_checkpoints().open();
  zombie.process({{"", 1}});
  const auto saved = zombie.checkpoint(1);
  zombie.complete(1);
  harness next(sales(), subtask(0, 1, 1), files);
  next.take_checkpoints().restore(saved).open();
  zombie.process({{"", 666}});
  next.run_io();
  next.process({{"", 2}});
  zombie.run_io();
  next.finish();
  zombie.process({{"", 667}});
  static_cast<void>(next.checkpoint(2));
  next.complete(2);
  next.run_io();
  zombie.run_io();
  CHECK(visible(*files) == std::vector{1, 2});
}

TEST_CASE("an attempt that cleans up only when it has ended leaves the next one's files alone") {
  const auto files = new_files();
  harness first(sales(), subtask(0, 1), files);
  first.take_checkpoints().open();
  first.process({{"", 1}});
  const auto saved = first.checkpoint(1);
  first.complete(1);
  harness late(sales(), subtask(0, 1, 1), files);
  late.take_checkpoints().restore(saved).open();
  harness next(sales(), subtask(0, 1, 2), files);
  next.take_checkpoints().restore(saved).open();
  next.process({{"", 2}});
  next.run_io();
  late.run_io();
  next.process({{"", 3}});
  next.run_io();
  next.finish();
  static_cast<void>(next.checkpoint(2));
  next.complete(2);
  next.run_io();
  CHECK(visible(*files) == std::vector{1, 2, 3});
}

TEST_CASE("whatever step a crash comes at, each record is visible once in the end") {
  // Each run takes a checkpoint after some records and another at the end; it crashes after `steps`
  // pieces of I/O and goes on from the last checkpoint that was complete.
  for (const auto& policy : {rolling_policy::never(), rolling_policy::only_on_checkpoint(),
                             rolling_policy{.part_bytes = 4}}) {
    for (std::size_t steps = 0; steps < 24; ++steps) {
      const auto files = new_files();
      std::optional<saved_sink> complete;
      std::uint64_t next_checkpoint = 1;
      int done = 0;  // records that the checkpoint covers
      bool has_ended = false;
      for (std::uint32_t attempt = 0; !has_ended; ++attempt) {
        harness sink(sales(policy), subtask(0, 1, attempt), files);
        sink.take_checkpoints();
        if (complete) sink.restore(*complete);
        std::size_t left = attempt < 3 ? steps : 1'000'000;
        const auto run = [&](const auto& until) {
          while (!until() && left != 0 && !sink.is_io_idle()) {
            sink.run_io(1);
            --left;
          }
          return until();
        };
        const auto take_checkpoint = [&] {
          auto& writer = sink.writer().op();
          writer.prepare_snapshot(checkpoint_id{next_checkpoint});
          if (!run([&] { return !writer.is_busy(); })) return false;
          const auto saved = sink.checkpoint(next_checkpoint);
          complete = saved;
          sink.complete(next_checkpoint++);
          return true;
        };
        sink.open();
        if (!run([&] { return !sink.is_busy(); })) continue;
        for (int at = done; at < 9; at += 3) {
          sink.process({{"a", at}, {"b", at + 1}, {"a", at + 2}});
          if (!take_checkpoint()) break;
          done = at + 3;
        }
        if (done < 9) continue;
        sink.writer().finish();
        if (!run([&] { return !sink.writer().op().is_busy(); })) continue;
        sink.committer().finish();
        if (!take_checkpoint()) continue;
        has_ended = run([&] { return sink.is_io_idle(); });
      }
      CAPTURE(steps);
      CHECK(visible(*files) == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8});
      CHECK(hidden(*files).empty());
    }
  }
}

TEST_CASE("jobs that begin with one savepoint leave its files and each other's alone") {
  const auto of_job = [](std::uint64_t number) {
    auto self = subtask(0, 1);
    self.job = {0, number};
    return self;
  };
  const auto files = new_files();
  saved_sink saved;
  {
    harness first(sales(), of_job(1), files);
    first.take_checkpoints().open();
    first.process({{"at", 1}});
    saved = first.checkpoint(1);
    first.complete(1);
    first.run_io();
  }
  SUBCASE("taken before the first checkpoint behind a restart") {
    // What the part was copied from is still needed if the first job goes back once more.
    auto again = of_job(1);
    again.attempt = 1;
    harness first(sales(), again, files);
    first.take_checkpoints().restore(saved).open();
    first.run_io();
    saved = first.checkpoint(2);
  }
  SUBCASE("taken at any time") {}
  const auto of_savepoint = hidden(*files);
  const auto go_on = [&](harness& job, int amount) {
    job.take_checkpoints().restore(saved).open();
    job.process({{"at", amount}});
    job.run_io();
    static_cast<void>(job.checkpoint(2));
    job.complete(2);
    job.run_io();
  };
  harness second(sales(), of_job(2), files);
  go_on(second, 20);
  harness third(sales(), of_job(3), files);
  go_on(third, 30);
  for (auto* job : {&second, &third}) {
    job->finish();
    static_cast<void>(job->checkpoint(3));
    job->complete(3);
    job->run_io();
  }
  CHECK(hidden(*files) == of_savepoint);
  CHECK(visible(*files) == std::vector{1, 1, 20, 30});
}

TEST_CASE("a job that starts again without a checkpoint removes what it had begun") {
  const auto files = new_files();
  {
    harness first(sales(), subtask(0, 1), files);
    first.take_checkpoints().open();
    first.process({{"at", 1}});
    first.run_io();
  }
  files->put("/out/at/.part-0-7.inprogress.deadbeef-0", "another job's");
  CHECK(hidden(*files).size() == 2);
  harness second(sales(), subtask(0, 1, 1), files);
  second.take_checkpoints().open();
  second.run_io();
  CHECK(hidden(*files) == paths{"/out/at/.part-0-7.inprogress.deadbeef-0"});
}

TEST_CASE("a sink that is cancelled removes what no checkpoint names") {
  harness sink(sales());
  sink.take_checkpoints().open();
  sink.process({{"at", 1}});
  static_cast<void>(sink.checkpoint(1));
  sink.process({{"at", 2}, {"de", 3}});
  sink.run_io();
  CHECK(hidden(sink.memory()).size() == 2);
  sink.close();
  CHECK(hidden(sink.memory()).size() == 1);
}

TEST_CASE("a sink that is cancelled before its last checkpoint removes what was to be committed") {
  harness sink(sales());
  sink.take_checkpoints().open();
  sink.process({{"at", 1}});
  sink.finish();
  REQUIRE(hidden(sink.memory()).size() == 1);  // with the committer by now
  sink.close();
  CHECK(visible(sink.memory()).size() + hidden(sink.memory()).size() == 0);
}

TEST_CASE("a power cut takes away no bucket that was made for parts") {
  harness sink(sales());
  sink.open();
  sink.process({{"at/wien", 1}, {"de", 2}});
  sink.finish();
  sink.memory().lose_unsynced_directories();
  CHECK(visible(sink.memory()) == std::vector{1, 2});
}

TEST_CASE("a new job in an old directory goes on behind the parts that are there") {
  const auto files = new_files();
  files->put("/out/part-0-4", "1\n");
  files->put("/out/part-1-9", "2\n");
  harness sink(sales(), subtask(0, 2), files);
  sink.open();
  sink.process({{"", 3}});
  sink.finish();
  CHECK(finished(*files) == paths{"/out/part-0-4", "/out/part-0-5", "/out/part-1-9"});
}

TEST_CASE("parts move to other subtasks when the parallelism changes") {
  const auto files = new_files();
  std::vector<subtask_operator_state> writers;
  std::vector<subtask_operator_state> committers;
  std::vector<int> expected;
  for (std::uint32_t index = 0; index < 3; ++index) {
    harness sink(sales(), subtask(index, 3), files);
    sink.take_checkpoints().open();
    const auto number = static_cast<int>(index);
    sink.process({{"at", number}, {"de", 10 + number}});
    expected.insert(expected.end(), {number, 10 + number});
    auto saved = sink.checkpoint(1);
    writers.push_back(std::move(saved.writer));
    committers.push_back(std::move(saved.committer));
    sink.process({{"fr", 99}});
    sink.run_io();
  }
  CHECK(hidden(*files).size() == 9);
  const auto new_writers = redistribute(writers, 2);
  const auto new_committers = redistribute(committers, 2);
  REQUIRE((new_writers && new_committers));
  for (std::uint32_t index = 0; index < 2; ++index) {
    harness sink(sales(), subtask(index, 2, 1), files);
    sink.take_checkpoints().restore({(*new_writers)[index], (*new_committers)[index]}).open();
    sink.process({{"at", 20 + static_cast<int>(index)}});
    expected.push_back(20 + static_cast<int>(index));
    sink.finish();
    static_cast<void>(sink.checkpoint(2));
    sink.complete(2);
    sink.run_io();
  }
  std::sort(expected.begin(), expected.end());
  CHECK(visible(*files) == expected);
  CHECK(hidden(*files).empty());
}

TEST_CASE("a commit is tried again after an error of the disk, and done once") {
  harness sink(sales());
  sink.open();
  sink.process({{"", 1}});
  sink.memory().fail_renames(2);
  sink.finish();
  CHECK(sink.is_busy());
  CHECK(finished(sink.memory()).empty());
  sink.pass_time(100ms);
  sink.run_io();
  sink.pass_time(200ms);
  sink.run_io();
  CHECK(!sink.is_busy());
  CHECK(visible(sink.memory()) == std::vector{1});
}

TEST_CASE("a committer knows what was committed, what is in its way and what is missing") {
  memory_files files;
  file_committer to(files);
  files.put("/.a", "aa");
  files.put("/a", "old");
  files.put("/.b", "b");
  files.put("/.d", "cut");
  files.put("/e", "e");
  const auto results = to.commit({{"/.a", "/a", 2, false},
                                  {"/.a", "/a", 2, true},
                                  {"/.b", "/b", 1, false},
                                  {"/.c", "/c", 1, false},
                                  {"/.d", "/d", 9, false},
                                  {"/.e", "/e", 1, false}});
  using enum commit_status;
  const std::vector<commit_status> expected{failed, committed, committed,
                                            failed, failed,    already_committed};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(results[i].status == expected[i]);
  }
  CHECK(files.content("/a") == "aa");
  CHECK(results[0].why.message.starts_with("cannot finish '/a': it exists already"));
  CHECK(results[3].why.message ==
        "cannot finish '/c': neither it nor '/.c' is there; somebody has deleted or moved it");
  CHECK(results[4].why.message.starts_with("the finished file '/.d' has 3 bytes, but 9 were"));
}

TEST_CASE("a committer and one of an attempt before it may be at the same part") {
  /// The other one is ahead by a step.
  struct raced final : test::forwarded_files {
    using forwarded_files::forwarded_files;
    result<file_info> stat(const std::string& path) override {
      if (path == "/a") static_cast<void>(rename("/.a", "/a"));
      return forwarded_files::stat(path);
    }
  };
  const auto disk = std::make_shared<memory_files>();
  disk->put("/.a", "aa");
  raced files(disk);
  const auto results = file_committer(files).commit({{"/.a", "/a", 2, false}});
  CHECK(results.at(0).status == commit_status::already_committed);
  CHECK(disk->content("/a") == "aa");
}

TEST_CASE("a directory that can't be used, a full disk and a lost part fail the sink") {
  const auto outcome = [](const std::function<void(memory_files&)>& spoil) {
    harness sink(sales());
    spoil(sink.memory());
    return failure_of([&] {
      sink.open();
      sink.process({{"", 1}});
      sink.finish();
    });
  };
  CHECK(
      outcome([](auto& files) { files.put("/out", "a file"); }) ==
      "cannot write part files to '/out': it is a file, and they need a directory; choose another "
      "path");
  const auto denied = outcome([](auto& files) { files.forbid("/out"); });
  CHECK(denied.starts_with("can't write to '/out/.part-0-0.inprogress."));
  CHECK(denied.ends_with("Permission denied"));
  CHECK(outcome([](auto& files) { files.fill_disk(); }).ends_with("No space left on device"));

  const auto files = new_files();
  saved_sink saved;
  {
    harness first(sales(), subtask(0, 1), files);
    first.take_checkpoints().open();
    first.process({{"", 1}, {"", 2}});
    saved = first.checkpoint(1);
  }
  const auto part = hidden(*files).front();
  const auto restored = [&] {
    harness second(sales(), subtask(0, 1, 1), files);
    second.take_checkpoints().restore(saved).open();
    return failure_of([&] { second.run_io(); });
  };
  files->put(part, "1\n");
  CHECK(restored() == "the unfinished file '" + part +
                          "' has 2 bytes, but the checkpoint says that 4 were written: check the "
                          "disk it lies on");
  CHECK(files->remove(part));
  CHECK(restored() ==
        "the unfinished file '" + part +
            "', which the checkpoint goes on with, is gone: it was finished since, or "
            "deleted; restore the latest checkpoint");
}

TEST_CASE("buckets must stay below the directory") {
  for (const std::string bucket : {"..", "a/../b", "/a", "a//b", "a/", ".hidden", "."}) {
    harness sink(sales());
    sink.open();
    CHECK(failure_of([&] {
            sink.process({{bucket, 1}});
          }) ==
          "a bucket assigner returned '" + bucket +
              "': a bucket is a relative path whose components are not empty and don't begin with "
              "'.'");
  }
}

TEST_CASE("part names are the user's, but not hidden and no paths") {
  harness sink(sales().with_part_names({.prefix = "sales", .suffix = ".txt"}));
  sink.open();
  sink.process({{"at", 1}});
  sink.run_io();
  CHECK(hidden(sink.memory()).front().starts_with("/out/at/.sales-0-0.txt.inprogress."));
  sink.finish();
  CHECK(finished(sink.memory()) == paths{"/out/at/sales-0-0.txt"});
  CHECK_THROWS_AS(sales().with_part_names({.prefix = ".x"}), failure);
  CHECK_THROWS_AS(sales().with_part_names({.prefix = ""}), failure);
  CHECK_THROWS_AS(sales().with_part_names({.suffix = "/x"}), failure);
}

TEST_CASE("buckets of time are those of the wall clock or of the record") {
  const auto at = [](date_time_buckets buckets, timestamp_ms event, timestamp_ms now) {
    return std::string(buckets.bucket_of(0, {event, now}));
  };
  constexpr timestamp_ms new_year = 1'767'225'600'000;  // 2026-01-01 00:00 UTC
  CHECK(at(date_time_buckets(), no_timestamp, new_year) == "2026-01-01--00");
  CHECK(at(date_time_buckets("%Y/%m", bucket_time::event_time), new_year - 1, 0) == "2025/12");
  CHECK(at(date_time_buckets("%d-%H", bucket_time::event_time, 90min), new_year - 1, 0) == "01-01");
  CHECK(at(date_time_buckets("%Y", bucket_time::event_time), -1, 0) == "1969");
  date_time_buckets one("%H%M%S", bucket_time::event_time);
  CHECK(one.bucket_of(0, {new_year + 999, 0}) == "000000");
  CHECK(one.bucket_of(0, {new_year + 1000, 0}) == "000001");
  CHECK(one.bucket_of(0, {new_year, 0}) == "000000");
  CHECK(failure_of([&] {
          at(date_time_buckets("%Y", bucket_time::event_time), no_timestamp, 0);
        }).starts_with("a record without a timestamp can't be put into a bucket by event time"));
  CHECK_THROWS_AS(date_time_buckets("/%Y"), failure);
  CHECK_THROWS_AS(date_time_buckets(""), failure);
}

}  // namespace file_sink_test
