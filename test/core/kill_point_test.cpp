#include "millrace/core/kill_point.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <string>

namespace kill_point_test {

using namespace millrace;

namespace {

/// Passes the place so often in a process of its own; whether that got SIGKILL.
bool dies_of(kill_point place, int passes) {
  const auto child = ::fork();
  if (child == 0) {
    for (int i = 0; i < passes; ++i) pass(place);
    ::_exit(0);
  }
  int how = 0;
  REQUIRE(::waitpid(child, &how, 0) == child);
  return WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL;
}

}  // namespace

TEST_CASE("a process dies where it was told to, at the nth time") {
  REQUIRE(arm_kill_point("metadata-renamed:3"));
  CHECK_FALSE(dies_of(kill_point::metadata_renamed, 2));
  CHECK(dies_of(kill_point::metadata_renamed, 3));
  CHECK_FALSE(dies_of(kill_point::metadata_synced, 5));
  REQUIRE(arm_kill_point("transaction-committed"));
  CHECK(dies_of(kill_point::transaction_committed, 1));
  REQUIRE(arm_kill_point(""));
  CHECK_FALSE(dies_of(kill_point::transaction_committed, 1));
}

TEST_CASE("a kill point that makes no sense is refused, and nothing is armed") {
  const auto unknown = arm_kill_point("metadata_renamed");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == errc::invalid_config);
  for (const auto& name : kill_point_names())
    CHECK(unknown.error().message.find(name) != std::string::npos);
  for (const auto* setting : {"part-opened:", "part-opened:0", "part-opened:-1", "part-opened:2x"})
    CHECK_FALSE(arm_kill_point(setting));
  CHECK_FALSE(dies_of(kill_point::part_opened, 3));
}

TEST_CASE("each kill point has a name of its own") {
  const auto names = kill_point_names();
  CHECK(std::set<std::string_view>(names.begin(), names.end()).size() == names.size());
  CHECK(names[static_cast<std::size_t>(kill_point::checkpoint_recorded)] == "checkpoint-recorded");
  CHECK(names[static_cast<std::size_t>(kill_point::state_read)] == "state-read");
}

}  // namespace kill_point_test
