#include "millrace/stream/accumulator.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace accumulator_test {

using namespace millrace;
using merge = accumulator::merge;

namespace {

accumulator_map one(merge how, std::variant<std::int64_t, double> value) {
  return {{"a", {how, value}}};
}

accumulator merged(accumulator_map into, const accumulator_map& more) {
  merge_into(into, more);
  return into.at("a");
}

}  // namespace

TEST_CASE("accumulators are added, or the least or greatest is kept") {
  CHECK(merged(one(merge::sum, std::int64_t{2}), one(merge::sum, std::int64_t{3})) ==
        accumulator{merge::sum, std::int64_t{5}});
  CHECK(merged(one(merge::sum, 0.5), one(merge::sum, 0.25)) == accumulator{merge::sum, 0.75});
  CHECK(merged(one(merge::min, std::int64_t{2}), one(merge::min, std::int64_t{-3})) ==
        accumulator{merge::min, std::int64_t{-3}});
  CHECK(merged(one(merge::max, std::int64_t{2}), one(merge::max, std::int64_t{-3})) ==
        accumulator{merge::max, std::int64_t{2}});
}

TEST_CASE("accumulators are written as their numbers") {
  CHECK(to_string(accumulator{merge::sum, std::int64_t{-7}}) == "-7");
  CHECK(to_string(accumulator{merge::max, 0.25}) == "0.25");
}

TEST_CASE("accumulators that only one side has are kept") {
  accumulator_map into{{"a", {merge::sum, std::int64_t{1}}}};
  merge_into(into, {{"b", {merge::max, std::int64_t{7}}}});
  CHECK(into.size() == 2);
  CHECK(into.at("b") == accumulator{merge::max, std::int64_t{7}});
}

TEST_CASE("where two accumulators disagree in kind or type the first one stays") {
  const auto ours = one(merge::sum, std::int64_t{1});
  CHECK(merged(ours, one(merge::max, std::int64_t{9})) == ours.at("a"));
  CHECK(merged(ours, one(merge::sum, 9.0)) == ours.at("a"));
}

TEST_CASE("a sum beyond 64 bits wraps around") {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  CHECK(merged(one(merge::sum, most), one(merge::sum, std::int64_t{1})) ==
        accumulator{merge::sum, std::numeric_limits<std::int64_t>::min()});
}

}  // namespace accumulator_test
