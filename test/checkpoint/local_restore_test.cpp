#include "millrace/checkpoint/local_restore.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "millrace/core/logging.hpp"
#include "support/incremental_job.hpp"

namespace local_restore_test {

using namespace millrace;
using namespace millrace::test;

// Whole tasks, with state in RocksDB and beside it, restored from copies on their machine.

namespace {

/// Three checkpoints, of which the later ones share files with the earlier ones.
void take_three(incremental_job& job) {
  job.keep_copies();
  job.put(0, 400, "first");
  job.take(1, {0});
  job.put(100, 200, "second");
  job.take(2, {1});
  job.put(150, 160, "third");
  job.take(3, {2});
}

void check_three(incremental_job& job) {
  job.check(*job.state, 0, 100, "first");
  job.check(*job.state, 100, 150, "second");
  job.check(*job.state, 150, 160, "third");
  job.check(*job.state, 200, 400, "first");
}

/// All but metadata.
void lose_originals(incremental_job& job) {
  for (const auto& path : job.disk->paths())
    if (!path.ends_with("_metadata")) REQUIRE(job.disk->remove(path));
}

}  // namespace

TEST_CASE("a database is restored from copies alone, and goes on with incremental checkpoints") {
  incremental_job job;
  take_three(job);
  lose_originals(job);
  job.restart(3);
  check_three(job);
  CHECK(job.from->copy_bytes() > 0);
  CHECK(job.from->original_bytes() == 0);

  // The next checkpoint refers to what its base has, and its copies are still there.
  job.put(390, 400, "fourth");
  const auto stored = job.take(4, {3});
  CHECK(stored.stored_anew < stored.bytes);
  lose_originals(job);
  job.restart(4);
  job.check(*job.state, 150, 160, "third");
  job.check(*job.state, 390, 400, "fourth");
  CHECK(job.from->original_bytes() == 0);
}

TEST_CASE("key groups are read out of copies of a database's files") {
  incremental_job job;
  take_three(job);
  lose_originals(job);
  for (std::uint32_t subtask = 0; subtask < 2; ++subtask) {
    CAPTURE(subtask);
    state_world memory(std::make_shared<hashmap_state_backend>());
    const auto half = key_group_range_of(subtask, test_max_parallelism, 2);
    auto state = memory.make<std::int64_t>(half);
    const auto restored = job.read(3, subtask, 2, nullptr);
    REQUIRE_MESSAGE(restored, (restored ? std::string() : restored.error().message));
    incremental_job::restore_groups(*state, restored->operators.at(0)->keyed_state);
    incremental_job::check(*state, 150, 160, "third");
    CHECK(job.from->copy_bytes() > 0);
    CHECK(job.from->original_bytes() == 0);
  }
}

TEST_CASE("each copy of a database that is damaged is replaced by its original") {
  redirect_log([](log_level, std::string_view) {});
  const auto count = [] {
    incremental_job job;
    take_three(job);
    return job.local_disk->paths().size();
  }();
  REQUIRE(count > 2);
  for (std::size_t i = 0; i < count; ++i) {
    CAPTURE(i);
    incremental_job job;
    take_three(job);
    const auto path = job.local_disk->paths().at(i);
    auto bytes = job.local_disk->content(path);
    for (std::size_t at = 16; at < bytes.size(); at += 50) bytes[at] ^= 1;
    job.local_disk->put(path, bytes);
    job.restart(3);
    check_three(job);
    CHECK(job.from->copy_bytes() > 0);
    CHECK(job.from->original_bytes() > 0);
  }
  redirect_log({});
}

}  // namespace local_restore_test
