#include "millrace/core/fingerprint.hpp"

#include <doctest/doctest.h>

#include <set>

#include "support/codec_samples.hpp"

namespace fingerprint_test {

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a description names the structure") {
  CHECK(describe_type<std::int64_t>() == "i64");
  CHECK(describe_type<point>() == "{f64,f64}");
  CHECK(describe_type<nothing>() == "{}");
  CHECK(describe_type<std::tuple<std::int64_t, std::string, std::vector<double>>>() ==
        "{i64,str,vec<f64>}");
  CHECK(describe_type<tree>() == "{str,vec<^1>}");
  CHECK(describe_type<std::map<color, std::optional<opaque>>>() ==
        "map<enum<u8>,opt<'test.opaque/1'>>");
  CHECK(describe_type<std::variant<std::monostate, char>>() == "variant<{},char>");
  CHECK(describe_type<std::array<bool, 3>>() == "array<bool>x3");
  CHECK(describe_type<std::chrono::milliseconds>() == "duration<i64>/1:1000");
  CHECK(describe_type<everything>() ==
        "{bool,char,i8,u16,i32,u64,f32,f64,enum<u8>,str,vec<f64>,vec<str>,array<i16>x3,"
        "map<str,i64>,map<i32,str>,set<str>,opt<{f64,f64}>,variant<{},i32,str>,{i32,str},"
        "{bool,i32,{f64,f64}},duration<i64>/1:1000,time<i64>/1:1000000,{f64,f64},{},"
        "vec<{i64,i32,bool}>,{u64,u64}}");
}

TEST_CASE("fingerprints of different structures differ") {
  const std::set<std::uint64_t> all{
      fingerprint_of<std::int64_t>(),
      fingerprint_of<std::uint64_t>(),
      fingerprint_of<std::int32_t>(),
      fingerprint_of<double>(),
      fingerprint_of<float>(),
      fingerprint_of<std::string>(),
      fingerprint_of<point>(),
      fingerprint_of<std::pair<std::int64_t, std::string>>(),
      fingerprint_of<std::pair<std::string, std::int64_t>>(),
      fingerprint_of<std::tuple<std::pair<std::int64_t, std::int64_t>, std::int64_t>>(),
      fingerprint_of<std::tuple<std::int64_t, std::pair<std::int64_t, std::int64_t>>>(),
      fingerprint_of<std::vector<std::int64_t>>(),
      fingerprint_of<std::set<std::int64_t>>(),
      fingerprint_of<std::optional<std::int64_t>>(),
      fingerprint_of<std::array<std::int64_t, 2>>(),
      fingerprint_of<std::array<std::int64_t, 3>>(),
      fingerprint_of<std::chrono::seconds>(),
      fingerprint_of<std::chrono::milliseconds>(),
      fingerprint_of<opaque>(),
      fingerprint_of<everything>(),
  };
  CHECK(all.size() == 20);
}

TEST_CASE("types with the same encoding have the same fingerprint") {
  CHECK(fingerprint_of<point>() == fingerprint_of<std::pair<double, double>>());
  CHECK(fingerprint_of<std::vector<int>>() == fingerprint_of<std::deque<int>>());
}

TEST_CASE("fingerprints never change") {
  // They are stored in checkpoints: a change here needs a new codec_version.
  CHECK(fingerprint_of<std::pair<std::string, std::int64_t>>() == 0x248A4F315BE6E095ull);
}

}  // namespace fingerprint_test
