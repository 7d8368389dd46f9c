#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/operators/co_process.hpp"
#include "reference/random_stream.hpp"
#include "reference/subtasks.hpp"
#include "reference/timer_user.hpp"

namespace process_reference_test {

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;

namespace {

void run_case(std::uint64_t seed) {
  random_numbers random(seed);
  const auto& backend = backend_of_case(seed);
  CAPTURE(backend.name);
  const bool has_two_inputs = random.one_of(3);
  const auto made = has_two_inputs ? make_keyed_co_process<event, event, outcome>(
                                         &event::key, &event::key, timer_user())
                                   : make_keyed_process<event, outcome>(&event::key, timer_user());
  random_inputs inputs(random);
  keyed_subtasks<event, outcome> subtasks(made, static_cast<std::uint32_t>(random.upto(1, 4)),
                                          backend.backend, inputs.count());
  subtasks.open();
  timer_interpreter expected(true, subtasks.clock());
  random_stream stream(random, 0);
  while (stream.has_next()) {
    const auto e = stream.next();
    const std::size_t input = has_two_inputs && random.one_of(2) ? 1 : 0;
    expected.row(e, input);
    subtasks.add(e, e.key, e.at, input, random.one_of(4));
    if (const auto at = stream.next_watermark())
      for (const auto& [said, reached] : inputs.hear(*at)) {
        if (reached) expected.watermark(*reached);
        subtasks.tell(said);
      }
    if (!random.one_of(5)) continue;
    subtasks.pass_time(random.upto(1, 12));
    expected.clock(subtasks.clock());
  }
  expected.watermark(max_watermark);
  auto got = subtasks.finish();
  auto& wanted = expected.rings;
  std::sort(got.begin(), got.end());
  std::sort(wanted.begin(), wanted.end());
  REQUIRE(got == wanted);
}

}  // namespace

TEST_CASE("random streams: timers of process functions fire as the reference says") {
  const case_range cases(1'500);
  for (auto seed = cases.first; seed < cases.first + cases.count; ++seed) {
    CAPTURE(seed);
    run_case(seed);
  }
}

}  // namespace process_reference_test
