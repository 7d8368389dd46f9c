#include "millrace/stream/watermark_alignment.hpp"

#include <doctest/doctest.h>

namespace watermark_alignment_test {

using namespace millrace;

namespace {

execution_attempt_id task(std::uint32_t subtask) {
  return {{1, 1}, 0, subtask, 0};
}

auto is(const execution_attempt_id& gone) {
  return [gone](const execution_attempt_id& t) { return t == gone; };
}

alignment_report at(timestamp_ms watermark, timestamp_ms drift = 100) {
  return {"g", watermark, false, drift};
}

}  // namespace

TEST_CASE("nobody of an alignment group gets further than the drift ahead of the slowest") {
  alignment_coordinator all;
  CHECK(all.on_report(task(0), 0, at(1000)) == 1100);
  CHECK(all.on_report(task(1), 0, at(500)) == 600);
  CHECK(all.on_report(task(0), 0, at(1000)) == std::nullopt);
  CHECK(all.on_report(task(0), 0, at(2000)) == std::nullopt);
  CHECK(all.on_report(task(1), 0, at(700)) == 800);
  CHECK(all.members_of("g") == std::vector{task(0), task(1)});
  CHECK(all.members_of("other").empty());
}

TEST_CASE("a member that has just come hears the limit though it does not change it") {
  alignment_coordinator all;
  all.on_report(task(0), 0, at(10));
  CHECK(all.on_report(task(1), 0, at(20)) == 110);
}

TEST_CASE("a member without a watermark holds back the others, an idle one does not") {
  alignment_coordinator all;
  all.on_report(task(0), 0, at(1000));
  CHECK(all.on_report(task(1), 0, at(no_timestamp)) == no_timestamp + 100);
  CHECK(all.on_report(task(1), 0, {"g", no_timestamp, true, 100}) == 1100);
  CHECK(all.on_report(task(0), 0, {"g", 1000, true, 100}) == max_watermark);
}

TEST_CASE("a member that has ended holds back nobody") {
  alignment_coordinator all;
  all.on_report(task(0), 0, at(1000));
  all.on_report(task(1), 0, at(10));
  all.on_report(task(1), 1, {"h", 10, false, 5});
  const auto changed = all.forget(is(task(1)));
  CHECK(changed ==
        std::vector<std::pair<std::string, timestamp_ms>>{{"g", 1100}, {"h", max_watermark}});
  CHECK(all.forget(is(task(1))).empty());
  CHECK(all.members_of("g") == std::vector{task(0)});
}

TEST_CASE("the smallest drift of a group counts, and times at the end do not overflow") {
  alignment_coordinator all;
  CHECK(all.on_report(task(0), 0, at(50, 1000)) == 1050);
  CHECK(all.on_report(task(1), 0, at(60, 10)) == 60);
  alignment_coordinator late;
  CHECK(late.on_report(task(0), 0, at(max_watermark - 10)) == std::nullopt);
}

TEST_CASE("two operators of one task are two members but one task") {
  alignment_coordinator all;
  all.on_report(task(0), 0, at(50));
  CHECK(all.on_report(task(0), 1, at(20)) == 120);
  CHECK(all.members_of("g") == std::vector{task(0)});
}

}  // namespace watermark_alignment_test
