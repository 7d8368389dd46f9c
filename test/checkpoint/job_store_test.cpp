#include "millrace/checkpoint/job_store.hpp"

#include <doctest/doctest.h>

#include "millrace/graph/job_epoch.hpp"
#include "support/graphs.hpp"
#include "support/memory_files.hpp"

namespace job_store_test {

using namespace millrace;
using namespace millrace::test;

namespace {

const job_id job{7, 8};

/// Two stores over one disk: that of a process, and that of the next one.
struct stored_jobs {
  std::shared_ptr<memory_files> disk = std::make_shared<memory_files>();

  job_store open() const {
    return job_store(std::make_shared<directory_document_store>(disk, "/ha/default"));
  }
  static stored_job accepted() { return {job, 1'700'000'000'000, job_of(word_count())}; }
  const std::string ledger = "/ha/default/ledgers/" + to_string(job);
};

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

}  // namespace

TEST_CASE_FIXTURE(stored_jobs, "a process begins no epochs once another one has taken over") {
  const auto documents = std::make_shared<directory_document_store>(disk, "/ha/default");
  job_store first(documents, 1);
  REQUIRE(first.take_over());
  REQUIRE(first.add(accepted()));
  REQUIRE(first.begin_epoch(job));
  REQUIRE(first.take_over());  // as its dispatcher was replaced

  job_store second(documents, 2);
  REQUIRE(second.take_over());
  CHECK(first.begin_epoch(job).error().code == errc::stale);
  CHECK(first.take_over().error().code == errc::stale);
  CHECK(second.begin_epoch(job).value().epoch == 2);

  CHECK(first.look_for_successor().error().code == errc::stale);
  CHECK(second.look_for_successor());

  // It may be given back, or be lost: then it is whoever asks first.
  REQUIRE(disk->remove("/ha/default/master/term"));
  CHECK(second.begin_epoch(job).value().epoch == 3);
  CHECK(first.begin_epoch(job).error().code == errc::stale);
}

TEST_CASE_FIXTURE(stored_jobs, "another process finds jobs, epochs, checkpoints and results") {
  {
    auto store = open();
    REQUIRE(store.add(accepted()));
    CHECK(store.begin_epoch(job).value() == job_ledger{1, 0, {}});
    REQUIRE(store.checkpoint_begun(job, 1, {1}));
    REQUIRE(store.checkpoint_completed(job, 1, {{1}, "/c/chk-1"}));
    REQUIRE(store.checkpoint_begun(job, 1, {2}));
    REQUIRE(store.checkpoint_begun(job, 1, {3}));
    REQUIRE(store.checkpoint_completed(job, 1, {{3}, "/c/chk-3"}));
    REQUIRE(store.checkpoint_dropped(job, 1, {1}));
    REQUIRE(store.checkpoint_dropped(job, 1, {2}));
    REQUIRE(store.checkpoint_begun(job, 1, {4}));
  }
  disk->lose_power();
  auto store = open();
  const auto jobs = store.jobs().value();
  REQUIRE(jobs.size() == 1);
  CHECK(jobs[0].job == job);
  CHECK(jobs[0].graph == accepted().graph);
  CHECK(jobs[0].submitted_wall_ms == 1'700'000'000'000);
  CHECK(store.begin_epoch(job).value() == job_ledger{2, 4, {{{3}, "/c/chk-3"}}});

  REQUIRE(store.put_result(job, 2, bytes_of("finished")));
  REQUIRE(store.forget(job));
  auto next = open();
  CHECK(next.jobs().value().empty());
  const auto results = next.results().value();
  REQUIRE(results.size() == 1);
  CHECK(results[0].first == job);
  CHECK(results[0].second == bytes_of("finished"));
  REQUIRE(next.remove_result(job));
  CHECK(disk->paths().empty());
}

TEST_CASE_FIXTURE(stored_jobs, "what a dead master has left to do changes nothing") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  REQUIRE(store.checkpoint_completed(job, 1, {{1}, "/c/chk-1"}));
  REQUIRE(store.begin_epoch(job));
  CHECK(store.checkpoint_completed(job, 1, {{2}, "/c/chk-2"}).error().code == errc::stale);
  CHECK(store.checkpoint_dropped(job, 1, {1}).error().code == errc::stale);
  CHECK(store.checkpoint_begun(job, 1, {9}).error().code == errc::stale);
  CHECK(store.check_epoch(job, 1).error().code == errc::stale);
  CHECK(store.check_epoch(job, 2));
  CHECK(store.put_result(job, 1, bytes_of("failed")).error().code == errc::stale);
  CHECK(store.ledger_of(job).value() == job_ledger{2, 0, {{{1}, "/c/chk-1"}}});
  CHECK(store.results().value().empty());
}

TEST_CASE_FIXTURE(stored_jobs,
                  "who still works on a job that another master has ended is too late") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  auto next = open();
  REQUIRE(next.begin_epoch(job));
  REQUIRE(next.put_result(job, 2, bytes_of("failed")));
  REQUIRE(next.forget(job));
  CHECK(store.put_result(job, 1, bytes_of("canceled")).error().code == errc::stale);
  CHECK(store.checkpoint_completed(job, 1, {{2}, "/c/chk-2"}).error().code == errc::stale);
  CHECK(store.check_epoch(job, 1).error().code == errc::stale);
  CHECK(next.result_of(job).value() == bytes_of("failed"));
}

TEST_CASE_FIXTURE(stored_jobs, "no epoch begins twice, whatever becomes of the ledger") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  const auto first = disk->content(ledger);
  REQUIRE(store.begin_epoch(job));
  SUBCASE("that an earlier master has put back") {
    disk->put(ledger, first);
  }
  SUBCASE("that is gone") {
    REQUIRE(disk->remove(ledger));
  }
  CHECK(store.check_epoch(job, 2).error().code == errc::stale);
  const auto refused = store.begin_epoch(job);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_data);
  CHECK(refused.error().message.find("though 2 has begun") != std::string::npos);
}

TEST_CASE_FIXTURE(stored_jobs, "the result of a job stays as long as its graph") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  REQUIRE(store.put_result(job, 1, bytes_of("finished")));
  REQUIRE(store.remove_result(job));
  CHECK(store.result_of(job));
  REQUIRE(store.forget(job));
  REQUIRE(store.remove_result(job));
  CHECK_FALSE(store.result_of(job));
}

TEST_CASE_FIXTURE(stored_jobs, "a job that has a result is not run again") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  CHECK(store.result_of(job).error().code == errc::not_found);
  REQUIRE(store.put_result(job, 1, bytes_of("finished")));
  CHECK(store.begin_epoch(job).error().code == errc::cancelled);
  CHECK(store.result_of(job).value() == bytes_of("finished"));
}

TEST_CASE_FIXTURE(stored_jobs, "what is withdrawn is gone from the ledger, and lasts") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  const checkpoint_pointer users{{2}, "/user/savepoint", snapshot_owner::user};
  REQUIRE(store.checkpoint_completed(job, 1, {{1}, "/c/chk-1"}));
  REQUIRE(store.checkpoint_completed(job, 1, users));
  REQUIRE(store.checkpoint_completed(job, 1, {{3}, "/c/chk-3"}));
  CHECK(store.checkpoint_withdrawn(job, 0, {3}, users).error().code == errc::stale);
  REQUIRE(store.checkpoint_withdrawn(job, 1, {3}, users));
  const job_ledger before{1, 0, {{{1}, "/c/chk-1"}, users}};
  CHECK(open().ledger_of(job).value() == before);
  // What an attempt before has written, and been told that it has not, may be gone after a power
  // cut, unless it is written again.
  disk->fail_renames(1);
  CHECK_FALSE(store.checkpoint_withdrawn(job, 1, {3}, users));
  REQUIRE(store.checkpoint_withdrawn(job, 1, {3}, users));
  CHECK(open().ledger_of(job).value() == before);
}

TEST_CASE_FIXTURE(stored_jobs, "a snapshot elsewhere that was left is known until it is gone") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  REQUIRE(store.checkpoint_completed(job, 1, {{4}, "/old/chk-4", snapshot_owner::claimed}));
  REQUIRE(store.checkpoint_completed(job, 1, {{6}, "/c/chk-6"}));
  REQUIRE(store.snapshot_left(job, 1, {{4}, "/old/chk-4"}));
  REQUIRE(store.snapshot_left(job, 1, {{5}, "/user/savepoint"}));
  const checkpoint_pointer claimed{{4}, "/old/chk-4", snapshot_owner::nobody};
  const checkpoint_pointer users{{5}, "/user/savepoint", snapshot_owner::nobody};
  CHECK(open().ledger_of(job).value() == job_ledger{1, 0, {claimed, users, {{6}, "/c/chk-6"}}});
  REQUIRE(store.checkpoint_completed(job, 1, {{7}, "/c/chk-7"}));
  REQUIRE(store.checkpoint_dropped(job, 1, {4}));
  CHECK(open().ledger_of(job).value() ==
        job_ledger{1, 0, {users, {{6}, "/c/chk-6"}, {{7}, "/c/chk-7"}}});
}

TEST_CASE_FIXTURE(stored_jobs, "the latest snapshot is what a job goes back to, whoever owns it") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  const checkpoint_pointer claimed{{4}, "/old/chk-4", snapshot_owner::claimed};
  const checkpoint_pointer users{{6}, "/user/savepoint", snapshot_owner::user};
  REQUIRE(store.checkpoint_completed(job, 1, claimed));
  REQUIRE(store.checkpoint_completed(job, 1, users));
  // It was stored behind a later one.
  REQUIRE(store.checkpoint_completed(job, 1, {{5}, "/c/chk-5"}));
  CHECK(open().ledger_of(job).value() == job_ledger{1, 0, {claimed, users}});
  // Nobody goes back to a user's savepoint any more.
  REQUIRE(store.checkpoint_completed(job, 1, {{7}, "/c/chk-7"}));
  CHECK(open().ledger_of(job).value() == job_ledger{1, 0, {claimed, {{7}, "/c/chk-7"}}});
}

TEST_CASE_FIXTURE(stored_jobs, "a savepoint that was begun is known until it has ended") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  for (std::uint64_t n = 1; n <= 4; ++n)
    REQUIRE(store.savepoint_begun(job, 1, {{n}, "/s/savepoint-" + std::to_string(n)}));
  REQUIRE(store.savepoint_completed(job, 1, {1}));
  REQUIRE(store.checkpoint_dropped(job, 1, {2}));
  const checkpoint_pointer last{{3}, "/s/savepoint-3", snapshot_owner::user};
  REQUIRE(store.checkpoint_completed(job, 1, last));
  CHECK(open().ledger_of(job).value() == job_ledger{1, 4, {last}, {{{4}, "/s/savepoint-4"}}});
  REQUIRE(store.begin_epoch(job));
  CHECK(store.savepoint_completed(job, 1, {4}).error().code == errc::stale);
  CHECK(store.savepoint_begun(job, 1, {{5}, "/s/savepoint-5"}).error().code == errc::stale);
}

TEST_CASE_FIXTURE(stored_jobs, "that a job was being stopped is known with its savepoint") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  const checkpoint_pointer own{{1}, "/c/chk-1"};
  checkpoint_pointer last{{2}, "/s/savepoint-2", snapshot_owner::user, job_stop{"/s", true}};
  REQUIRE(store.checkpoint_completed(job, 1, own));
  REQUIRE(store.savepoint_begun(job, 1, {{2}, last.location}));
  REQUIRE(store.checkpoint_completed(job, 1, last));
  CHECK(open().begin_epoch(job).value() == job_ledger{2, 2, {own, last}});
  CHECK(store.stop_given_up(job, 1).error().code == errc::stale);
  SUBCASE("until it goes on after all") {
    REQUIRE(store.stop_given_up(job, 2));
    last.stop.reset();
    CHECK(open().ledger_of(job).value() == job_ledger{2, 2, {own, last}});
    CHECK(store.stop_given_up(job, 2));
  }
  SUBCASE("until another checkpoint takes its place") {
    REQUIRE(store.checkpoint_completed(job, 2, {{3}, "/c/chk-3"}));
    CHECK(open().ledger_of(job).value() == job_ledger{2, 2, {own, {{3}, "/c/chk-3"}}});
  }
  SUBCASE("until that turns out to have failed") {
    REQUIRE(store.savepoint_withdrawn(job, 2, {{2}, last.location}, std::nullopt));
    CHECK(open().ledger_of(job).value() == job_ledger{2, 2, {own}, {{{2}, last.location, true}}});
  }
}

TEST_CASE_FIXTURE(stored_jobs, "ledgers from before stops were noted are read") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  const auto documents = std::make_shared<directory_document_store>(disk, "/ha/default");
  const auto put = [&](const std::string& more) {
    return documents->put("ledgers/" + to_string(job),
                          R"({"epoch":1,"last_checkpoint":2,"checkpoints":[{"checkpoint":2,)"
                          R"("location":"/s/2","owner":"user")" +
                              more + R"(}],"savepoints":[]})");
  };
  REQUIRE(put(""));
  const checkpoint_pointer without{{2}, "/s/2", snapshot_owner::user};
  CHECK(store.ledger_of(job).value() == job_ledger{1, 2, {without}});
  REQUIRE(put(R"(,"stop":{"directory":"/s","drained":false})"));
  CHECK(store.ledger_of(job).value().checkpoints.at(0).stop == job_stop{"/s", false});
  for (const char* wrong : {R"(,"stop":null)", R"(,"stop":{"directory":"/s"})",
                            R"(,"stop":{"directory":"/s","drained":1})", R"(,"stops":{})"}) {
    CAPTURE(wrong);
    REQUIRE(put(wrong));
    CHECK(store.ledger_of(job).error().code == errc::invalid_data);
  }
}

TEST_CASE_FIXTURE(stored_jobs,
                  "a savepoint that was noted and has failed is gone back to no more") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  const checkpoint_pointer own{{1}, "/c/chk-1"};
  const checkpoint_pointer users{{2}, "/s/savepoint-2", snapshot_owner::user};
  REQUIRE(store.checkpoint_completed(job, 1, own));
  const begun_savepoint failed{{3}, "/s/savepoint-3"};
  const begun_savepoint withdrawn{{3}, failed.location, true};
  SUBCASE("but to the checkpoint before") {
    REQUIRE(store.savepoint_begun(job, 1, failed));
    REQUIRE(store.checkpoint_completed(job, 1, {{3}, failed.location, snapshot_owner::user}));
    REQUIRE(store.savepoint_withdrawn(job, 1, failed, std::nullopt));
    // Its files may be there still.
    CHECK(open().ledger_of(job).value() == job_ledger{1, 3, {own}, {withdrawn}});
    REQUIRE(store.checkpoint_dropped(job, 1, {3}));
    CHECK(open().ledger_of(job).value() == job_ledger{1, 3, {own}});
  }
  SUBCASE("but to the user's before, whose place it had taken") {
    REQUIRE(store.checkpoint_completed(job, 1, users));
    REQUIRE(store.savepoint_begun(job, 1, failed));
    REQUIRE(store.checkpoint_completed(job, 1, {{3}, failed.location, snapshot_owner::user}));
    REQUIRE(store.savepoint_withdrawn(job, 1, failed, users));
    CHECK(open().ledger_of(job).value() == job_ledger{1, 3, {own, users}, {withdrawn}});
  }
  SUBCASE("and if it was not noted, nothing changes") {
    REQUIRE(store.checkpoint_completed(job, 1, users));
    REQUIRE(store.savepoint_begun(job, 1, failed));
    REQUIRE(store.savepoint_withdrawn(job, 1, failed, users));
    CHECK(open().ledger_of(job).value() == job_ledger{1, 3, {own, users}, {withdrawn}});
  }
  CHECK(store.savepoint_withdrawn(job, 2, failed, users).error().code == errc::stale);
}

TEST_CASE_FIXTURE(stored_jobs, "a document is there as a whole or not at all") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  disk->fail_renames(1);
  CHECK(store.checkpoint_completed(job, 1, {{1}, "/c/chk-1"}).error().code == errc::io);
  CHECK(open().ledger_of(job).value() == job_ledger{1, 0, {}});
}

TEST_CASE_FIXTURE(stored_jobs, "a damaged document is named, wherever the damage is") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  REQUIRE(store.begin_epoch(job));
  REQUIRE(store.checkpoint_completed(job, 1, {{1}, "/c/chk-1"}));
  const auto whole = disk->content(ledger);
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    CAPTURE(i);
    auto flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    disk->put(ledger, flipped);
    const auto read = store.ledger_of(job);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::invalid_data);
    CHECK(read.error().message.find(ledger) != std::string::npos);
    disk->put(ledger, whole.substr(0, i));
    CHECK(store.ledger_of(job).error().code == errc::invalid_data);
  }
  disk->put(ledger, whole);
  CHECK(store.ledger_of(job));
}

TEST_CASE_FIXTURE(stored_jobs, "a damaged job does not keep others from being found") {
  auto store = open();
  REQUIRE(store.add(accepted()));
  auto other = accepted();
  other.job = {9, 9};
  REQUIRE(store.add(other));
  disk->put("/ha/default/graphs/" + to_string(job), "{}");
  bool is_whole = true;
  const auto jobs = open().jobs(&is_whole).value();
  REQUIRE(jobs.size() == 1);
  CHECK(jobs[0].job == other.job);
  CHECK_FALSE(is_whole);
  // Its file stays for who mends it.
  CHECK(disk->has("/ha/default/graphs/" + to_string(job)));
}

TEST_CASE("attempts say in which epoch they run") {
  CHECK(graph::first_attempt_of(1) == 0);
  CHECK(graph::epoch_of_attempt(graph::first_attempt_of(3)) == 3);
  const auto last = graph::first_attempt_of(2) - 1;
  CHECK(graph::epoch_of_attempt(last) == 1);
  CHECK_FALSE(graph::has_next_attempt(last));
  CHECK(graph::has_next_attempt(last - 1));
}

}  // namespace job_store_test
