#include "millrace/core/described_type.hpp"

#include <doctest/doctest.h>

#include "support/codec_samples.hpp"
#include "support/sample_values.hpp"

namespace described_type_test {

using namespace millrace;
using namespace millrace::test;

namespace {

struct address {
  std::string town;
  std::optional<std::int32_t> number;
};
struct address_later {
  std::string town;
  std::optional<std::int32_t> number;
  std::string country = "nowhere";
};
struct person {
  std::string name;
  std::vector<address> lived;
};
struct person_later {
  std::string name;
  std::vector<address_later> lived;
  std::int64_t visits = 7;
  std::vector<std::int64_t> marks = std::vector<std::int64_t>(2, 5);
};
struct branch {
  std::int32_t weight = 0;
  std::vector<branch> twigs;
};
struct branch_later {
  std::int32_t weight = 0;
  std::vector<branch_later> twigs;
  bool is_green = true;
};

described_type type(const std::string& description) {
  return parse_description(description).value();
}

template <class To, class From>
To evolved(const From& value) {
  const auto from = type(describe_type<From>());
  const auto to = type(describe_type<To>());
  REQUIRE(why_not_evolvable(from, to) == "");
  const auto bytes = encode_to_bytes(value);
  byte_reader in(bytes);
  byte_writer out;
  fingerprint_of_stored<To>();
  REQUIRE(evolve_value(from, to, known_defaults(fingerprint_of<To>()), in, out));
  CHECK(in.remaining() == 0);
  return decode_bytes<To>(out.bytes()).value();
}

}  // namespace

TEST_CASE("descriptions of all types can be read") {
  const auto all = type(describe_type<everything>());
  CHECK(all.what == described_type::kind::record);
  CHECK(all.parts.size() == shape::fields<everything>::count);
  CHECK(type("map<str,vec<{u8,^1}>>").parts[1].parts[0].parts[1].what ==
        described_type::kind::enclosing);
  for (const char* wrong : {"", "i", "i7", "{i64", "{i64,}", "vec<i64", "map<i64>", "i64,i64",
                            "'custom", "array<i8>", "nonsense", "^", "u128"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_description(wrong));
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "vec<";
  CHECK_FALSE(parse_description(deep));
}

TEST_CASE("fields at the end of records get their defaults, wherever the records are") {
  const auto later = evolved<person_later>(person{"Ada", {{"London", 12}, {"Paris", {}}}});
  CHECK(later.name == "Ada");
  REQUIRE(later.lived.size() == 2);
  CHECK(later.lived[0].town == "London");
  CHECK(later.lived[0].number == 12);
  CHECK(later.lived[0].country == "nowhere");
  CHECK_FALSE(later.lived[1].number);
  CHECK(later.visits == 7);
  CHECK(later.marks == std::vector<std::int64_t>{5, 5});
}

TEST_CASE("records that contain themselves evolve at every level") {
  const auto later = evolved<branch_later>(branch{1, {{2, {{3, {}}}}, {4, {}}}});
  CHECK(later.is_green);
  REQUIRE(later.twigs.size() == 2);
  CHECK(later.twigs[0].twigs.at(0).weight == 3);
  CHECK(later.twigs[0].twigs.at(0).is_green);
  CHECK(later.twigs[1].weight == 4);
}

TEST_CASE("a value that has not changed comes out as it was") {
  const std::variant<std::monostate, char, std::map<std::string, std::array<double, 2>>> value =
      std::map<std::string, std::array<double, 2>>{{"a", {1, 2}}};
  CHECK(evolved<std::remove_const_t<decltype(value)>>(value) == value);
}

TEST_CASE("what is no added field speaks against it") {
  const auto why = [](const char* from, const char* to) {
    return why_not_evolvable(type(from), type(to));
  };
  CHECK(why("{i64,str}", "{i64,str,f64}").empty());
  CHECK(why("variant<i64>", "variant<i64,str>").empty());
  CHECK_FALSE(why("{i64,str}", "{i64}").empty());
  CHECK_FALSE(why("{i64,str}", "{str,i64}").empty());
  CHECK_FALSE(why("{i64}", "{i32}").empty());
  CHECK_FALSE(why("i64", "{i64}").empty());
  CHECK_FALSE(why("{}", "{i64}").empty());
  CHECK_FALSE(why("array<i8>x3", "array<i8>x4").empty());
  CHECK_FALSE(why("set<{i64}>", "set<{i64,i64}>").empty());
  CHECK(why("map<str,{i64}>", "map<str,{i64,i64}>").empty());
  CHECK_FALSE(why("map<{i64},i64>", "map<{i64,i64},i64>").empty());
}

TEST_CASE("malformed values are refused, and those of custom codecs") {
  const auto person_type = type(describe_type<person>());
  const auto bytes = encode_to_bytes(person{"Ada", {{"London", 12}}});
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    byte_reader cut(byte_view(bytes).first(n));
    CHECK_FALSE(skip_value(person_type, cut));
  }
  byte_reader whole(bytes);
  CHECK(skip_value(person_type, whole));
  CHECK(whole.remaining() == 0);
  byte_reader custom(bytes);
  CHECK_FALSE(skip_value(type("'test.opaque/1'"), custom));
}

TEST_CASE("descriptions are known once somebody has asked for the fingerprint") {
  CHECK_FALSE(known_description(1));
  CHECK(known_description(fingerprint_of<person>()) == describe_type<person>());
  const std::string never_seen = "{u8,u8,u8,u8,u8,u8,i8}";
  CHECK(known_description(fingerprint_of_description(never_seen)) == never_seen);
}

}  // namespace described_type_test
