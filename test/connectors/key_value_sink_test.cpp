#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>

#include "millrace/connectors/key_value_sink.hpp"
#include "millrace/connectors/sqlite_table.hpp"
#include "millrace/state/redistribution.hpp"
#include "reference/random_numbers.hpp"
#include "support/damage.hpp"
#include "support/sink_harness.hpp"
#include "support/temporary_directory.hpp"

namespace key_value_sink_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::memory_files;
using test::saved_sink;
using test::sink_harness;
using test::subtask;

namespace {

struct total {
  std::string customer;
  std::optional<std::int64_t> cents;
  bool operator==(const total&) const = default;
};

using total_sink = decltype(key_value_sink<total>::upsert({}, &total::customer, &total::cents));
using harness = sink_harness<total, total_sink>;

struct world {
  test::temporary_directory directory;
  std::string path = directory.path() + "/shop.db";
  std::shared_ptr<memory_files> files = std::make_shared<memory_files>();
  total_sink sink =
      key_value_sink<total>::upsert({path, "totals"}, &total::customer, &total::cents);

  /// "key=value " for each row.
  std::string rows() const {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
    std::string text;
    sqlite3_exec(
        database, "SELECT key, value FROM totals ORDER BY key",
        [](void* to, int, char** values, char**) {
          *static_cast<std::string*>(to) += std::string(values[0]) + '=' + values[1] + ' ';
          return 0;
        },
        &text, nullptr);
    sqlite3_close(database);
    return text;
  }
};

}  // namespace

TEST_CASE("changes of a table are seen when their checkpoint is complete, and as a whole") {
  world w;
  harness sink(w.sink, {}, w.files);
  sink.take_checkpoints().open();
  sink.process({{"ann", 1}, {"bob", 2}, {"ann", 3}});
  static_cast<void>(sink.checkpoint(1));
  sink.process({{"bob", std::nullopt}, {"cid", 4}});
  sink.run_io();
  CHECK(w.rows().empty());
  sink.complete(1);
  sink.run_io();
  CHECK(w.rows() == "ann=3 bob=2 ");
  sink.finish();
  static_cast<void>(sink.checkpoint(2));
  sink.complete(2);
  sink.run_io();
  CHECK(w.rows() == "ann=3 cid=4 ");
  CHECK(w.files->paths().empty());
}

TEST_CASE("a commit that is repeated after a restart changes nothing") {
  world w;
  saved_sink saved;
  std::map<std::string, std::string> staged;
  {
    harness first(w.sink, subtask(0, 1), w.files);
    first.take_checkpoints().open();
    first.process({{"ann", 1}});
    saved = first.checkpoint(1);
    for (const auto& path : w.files->paths()) staged[path] = w.files->content(path);
    first.complete(1);
    first.run_io();
    first.process({{"ann", 2}});
    static_cast<void>(first.checkpoint(2));
    first.complete(2);
    first.run_io();
    first.process({{"lost", 9}});
    first.run_io();
  }
  CHECK(w.rows() == "ann=2 ");
  // Once with the staging file that is gone, once with the one that a crash has left.
  for (std::uint32_t attempt = 1; attempt < 3; ++attempt) {
    harness next(w.sink, subtask(0, 1, attempt), w.files);
    next.take_checkpoints().restore(saved).open();
    next.run_io();
    CHECK(w.rows() == "ann=2 ");
    CHECK(w.files->paths().empty());
    for (const auto& [path, content] : staged) w.files->put(path, content);
  }
}

TEST_CASE("a restart applies what was staged, and new changes after it") {
  world w;
  saved_sink saved;
  {
    harness first(w.sink, subtask(0, 1), w.files);
    first.take_checkpoints().open();
    first.process({{"ann", 1}, {"bob", 1}});
    saved = first.checkpoint(1);
  }
  w.files->lose_power();
  harness next(w.sink, subtask(0, 1, 1), w.files);
  next.take_checkpoints().restore(saved).open();
  CHECK(next.is_busy());
  next.run_io();
  CHECK(w.rows() == "ann=1 bob=1 ");
  next.process({{"ann", 2}});
  static_cast<void>(next.checkpoint(2));
  next.complete(2);
  next.run_io();
  CHECK(w.rows() == "ann=2 bob=1 ");
}

TEST_CASE("changes of one subtask stay in order when others go on with what it had staged") {
  world w;
  saved_sink saved;
  {
    harness first(w.sink, subtask(0, 1), w.files);
    first.take_checkpoints().open();
    first.process({{"ann", 1}, {"bob", 1}});
    static_cast<void>(first.checkpoint(1));
    first.run_io();
    first.abort(1);  // so that both are of the next
    first.process({{"ann", 2}, {"bob", std::nullopt}});
    first.run_io();
    saved = first.checkpoint(2);
  }
  const auto writers = redistribute({saved.writer}, 2);
  const auto committers = redistribute({saved.committer}, 2);
  REQUIRE((writers && committers));
  // Whoever has its turn last must not undo what the other has done.
  for (const std::uint32_t i : {1u, 0u}) {
    harness next(w.sink, subtask(i, 2, 1), w.files);
    next.take_checkpoints().restore({writers->at(i), committers->at(i)}).open();
    next.run_io();
  }
  CHECK(w.rows() == "ann=2 ");
}

TEST_CASE("without checkpoints what is not applied yet is not begun with at another parallelism") {
  world w;
  saved_sink saved;
  {
    harness first(w.sink, subtask(0, 1), w.files);
    first.take_checkpoints().open();
    first.process({{"ann", 1}});
    saved = first.checkpoint(1);
    SUBCASE("unless it was applied since") {
      first.complete(1);
      first.run_io();
    }
    SUBCASE("as others would not wait for it") {}
  }
  const bool was_applied = w.files->paths().empty();
  const auto writers = redistribute({saved.writer}, 2);
  const auto committers = redistribute({saved.committer}, 2);
  REQUIRE((writers && committers));
  harness other(w.sink, subtask(1, 2), w.files);
  other.restore({writers->at(1), committers->at(1)}).open();
  other.run_io();
  CHECK(!other.is_busy());  // it has nothing to commit
  harness next(w.sink, subtask(0, 2), w.files);
  next.restore({writers->at(0), committers->at(0)}).open();
  CHECK(next.is_busy());
  if (was_applied) {
    next.run_io();
    CHECK(!next.is_busy());
    next.process({{"ann", 2}});
    next.run_io();
    next.pass_time(1s);
    next.run_io();
    CHECK(w.rows() == "ann=2 ");
    return;
  }
  CHECK_THROWS_WITH(
      next.run_io(),
      "1 of 1 committables in the snapshot that the job begins with are not committed yet. They "
      "are of parallelism 1, now it is 2, and without checkpoints no subtask waits for another, so "
      "that older output could replace newer: set execution.checkpointing.interval, or start the "
      "job with the former parallelism first, which commits them");
  CHECK(w.rows().empty());
  harness former(w.sink, subtask(0, 1), w.files);
  former.restore(saved).open();
  former.run_io();
  CHECK(w.rows() == "ann=1 ");
}

TEST_CASE("a job can go on from a savepoint however many transactions came after it") {
  world w;
  saved_sink old;
  {
    harness first(w.sink, subtask(0, 1), w.files);
    first.take_checkpoints().open();
    first.process({{"ann", 1}});
    old = first.checkpoint(1);
    first.complete(1);
    first.run_io();
  }
  {
    auto table = sqlite_table::open(w.path, "totals");
    REQUIRE(table);
    REQUIRE(table->begin());
    for (std::uint64_t number = 1; number <= 1500; ++number)
      REQUIRE(table->remember({"totals/sink", 0, number}));
    REQUIRE(table->apply({std::string("ann"), sql_value(std::int64_t{2})}));
    REQUIRE(table->commit());
  }
  harness next(w.sink, subtask(0, 1, 1), w.files);
  next.take_checkpoints().restore(old).open();
  next.run_io();
  CHECK(w.rows() == "ann=2 ");
  next.process({{"ann", 3}});
  static_cast<void>(next.checkpoint(2));
  next.complete(2);
  next.run_io();
  CHECK(w.rows() == "ann=3 ");
}

TEST_CASE("a new job does not take its changes for those of an old one") {
  world w;
  for (const int cents : {1, 2}) {
    harness sink(w.sink, {}, w.files);
    sink.open();
    sink.process({{"ann", cents}});
    sink.finish();
  }
  CHECK(w.rows() == "ann=2 ");
}

TEST_CASE("without checkpoints changes are seen after a second") {
  world w;
  harness sink(w.sink, {}, w.files);
  sink.open();
  sink.process({{"ann", 1}});
  sink.run_io();
  CHECK(w.rows().empty());
  sink.pass_time(1s);
  sink.run_io();
  CHECK(w.rows() == "ann=1 ");
}

TEST_CASE("a full disk and a database that can't be opened fail the job") {
  world w;
  harness sink(w.sink, {}, w.files);
  sink.open();
  sink.run_io();
  sink.process({{"ann", 1}});
  CHECK(w.files->paths().empty());
  sink.memory().fill_disk();
  CHECK_THROWS_AS(sink.finish(), failure);

  world other;
  other.sink = key_value_sink<total>::upsert({other.path + "/no/such.db", "totals"},
                                             &total::customer, &total::cents);
  harness lost(other.sink, {}, other.files);
  lost.open();
  CHECK_THROWS_WITH(lost.run_io(), ("can't open the database '" + other.path +
                                    "/no/such.db': unable to open database file")
                                       .c_str());
}

TEST_CASE("damage of a staging file is found") {
  std::string bytes(change_file_header());
  append_change(bytes, {std::string("ann"), sql_value(std::int64_t{1})});
  append_change(bytes, {std::int64_t{7}, std::nullopt});
  append_change(bytes, {2.5, sql_value(std::vector{std::byte{1}})});
  const auto read = [](std::string_view from) -> result<int> {
    change_reader in(from);
    for (int count = 0;; ++count) {
      auto next = in.next();
      if (!next) return tl::unexpected(next.error());
      if (!*next) return count;
    }
  };
  CHECK(read(bytes) == 3);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    CHECK_FALSE(read(changed));
    const auto cut = read(std::string_view(bytes).substr(0, at));
    CHECK((!cut || *cut < 3));  // between two changes it is the file's length that tells
  }
}

//     MILLRACE_RANDOM_CASES=100000 MILLRACE_RANDOM_SEED=1 test_connectors -tc='damaged files*'
TEST_CASE("damaged files of changes are found by name, and their transaction changes nothing") {
  world w;
  std::vector<file_committable> staged;
  {
    harness sink(w.sink, subtask(0, 1), w.files);
    sink.take_checkpoints().open();
    sink.process({{"ann", 1}, {"bob", 2}});
    static_cast<void>(sink.checkpoint(1));
    sink.process({{"ann", std::nullopt}, {"cid", 3}});
    static_cast<void>(sink.checkpoint(2));
    staged = sink.take();
  }
  REQUIRE(staged.size() == 2);
  const std::string intact[] = {w.files->content(staged[0].working),
                                w.files->content(staged[1].working)};
  const runtime_context self(subtask(0, 1));
  const test::reference::case_range cases(200);
  for (std::uint64_t seed = cases.first; seed < cases.first + cases.count; ++seed) {
    test::reference::random_numbers random(seed);
    for (std::size_t i = 0; i < 2; ++i) w.files->put(staged[i].working, intact[i]);
    const auto which = static_cast<std::size_t>(random.upto(0, 1));
    const auto& path = staged[which].working;
    auto content = intact[which];
    const auto what = test::damage(random, content);
    CAPTURE(seed);
    CAPTURE(path);
    CAPTURE(what);
    w.files->put(path, content);
    const auto results = w.sink.create_committer({self, *w.files})->commit(staged);
    REQUIRE(results.size() == 2);
    if (results[0].status == commit_status::committed) {
      CHECK(results[1].status == commit_status::committed);
      CHECK(w.rows() == "bob=2 cid=3 ");
      std::filesystem::remove(w.path);  // it remembers that these were applied
      continue;
    }
    for (const auto& each : results) {
      // One that has grown is tried again first.
      CHECK(each.status == (content.size() > intact[which].size() ? commit_status::retry_later
                                                                  : commit_status::failed));
      CHECK(each.why.message.find(path) != std::string::npos);
    }
    CHECK(w.rows().empty());
  }
}

TEST_CASE("tables and keys must be such as databases have") {
  const auto make = [](key_value_table table) {
    return key_value_sink<total>::upsert(std::move(table), &total::customer, &total::cents);
  };
  CHECK_THROWS_AS(make({"", "t"}), failure);
  CHECK_THROWS_AS(make({"/x.db", "a b"}), failure);
  CHECK_THROWS_AS(make({"/x.db", "t\"; DROP"}), failure);
  CHECK_THROWS_AS(make({"/x.db", "t", ""}), failure);
  CHECK_THROWS_AS(to_sql(std::uint64_t{1} << 63), failure);
  CHECK(to_sql(-1) == sql_value(std::int64_t{-1}));
}

}  // namespace key_value_sink_test
