#include "sim/expired_checkpoints.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace expired_checkpoints_test {

using namespace millrace;
using namespace millrace::sim;
using std::chrono::seconds;

namespace {

constexpr std::string_view line =
    "checkpoint failed job=1 checkpoint=7 reason=\"expired: not complete after 1 min, waiting for "
    "'map' (subtask 1/2)\"";

}  // namespace

TEST_CASE("a checkpoint hangs if it expires that began when nothing failed any more") {
  const time_point healed(seconds(1000));
  expired_checkpoints watched(seconds(60));
  watched.on_line(line, healed + seconds(59));
  watched.on_line("checkpoint failed job=1 checkpoint=8 reason=\"a task failed\"",
                  healed + seconds(90));
  watched.on_line("job failed reason=\"expired\"", healed + seconds(90));
  CHECK(watched.violations(healed).empty());
  watched.on_line(line, healed + seconds(62));
  CHECK(watched.violations(healed) ==
        std::vector<std::string>{
            "a checkpoint hung that began after all faults had healed: job=1 checkpoint=7 "
            "reason=\"expired: not complete after 1 min, waiting for 'map' (subtask 1/2)\""});
  CHECK(watched.violations(healed + seconds(5)).empty());
}

TEST_CASE("a checkpoint may expire that is given little time") {
  const time_point healed(seconds(1000));
  expired_checkpoints watched(seconds(5));
  watched.on_line(line, healed + seconds(90));
  CHECK(watched.violations(healed).empty());
}

}  // namespace expired_checkpoints_test
