#include "millrace/core/codec.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <random>

#include "millrace/core/ids.hpp"
#include "support/codec_samples.hpp"

namespace codec_test {

using namespace millrace;
using namespace millrace::test;

namespace {

template <class T>
T round_trip(const T& value) {
  auto back = decode_bytes<T>(encode_to_bytes(value));
  REQUIRE(back.has_value());
  return *back;
}

template <class T>
void check_round_trip(const T& value) {
  CHECK(round_trip(value) == value);
}

/// Every proper prefix of an encoding is refused, never read past its end (ASan looks on).
template <class T>
void check_truncations(const T& value) {
  const auto bytes = encode_to_bytes(value);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    // A fresh allocation of exactly n bytes, so that the sanitizer sees any overrun.
    const std::vector<std::byte> prefix(bytes.begin(),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(n));
    CHECK_FALSE(decode_bytes<T>(prefix).has_value());
  }
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

struct pointer_inside {
  int* p;
};

}  // namespace

static_assert(encodable<everything> && encodable<tree> && encodable<nothing> && encodable<job_id>);
static_assert(encodable<execution_attempt_id> && encodable<opaque> &&
              encodable<std::vector<opaque>>);
static_assert(!encodable<pointer_inside> && !encodable<std::vector<pointer_inside>>);
static_assert(!encodable<int*> && !encodable<std::string_view> && !encodable<long double>);
static_assert(!encodable<std::unique_ptr<int>>);

static_assert(is_bulk_copyable<point> && is_bulk_copyable<job_id> && is_bulk_copyable<double>);
static_assert(is_bulk_copyable<std::array<point, 3>> && is_bulk_copyable<std::chrono::seconds>);
static_assert(!is_bulk_copyable<padded> && is_fixed_size<padded>);
static_assert(!is_bulk_copyable<bool> && !is_bulk_copyable<std::string>);
static_assert(fixed_encoded_size<padded>() == 13);
static_assert(min_encoded_size<std::pair<std::string, std::int64_t>>() == 9);

TEST_CASE("integers are little-endian at their own width") {
  CHECK(encode_to_bytes(std::uint32_t{0x01020304}) == bytes_of({4, 3, 2, 1}));
  CHECK(encode_to_bytes(std::int16_t{-2}) == bytes_of({0xfe, 0xff}));
  CHECK(encode_to_bytes(color::blue) == bytes_of({7}));
  CHECK(encode_to_bytes(true) == bytes_of({1}));
}

TEST_CASE("lengths are LEB128") {
  CHECK(encode_to_bytes(std::string("ab")) == bytes_of({2, 'a', 'b'}));
  const auto bytes = encode_to_bytes(std::string(300, 'x'));
  REQUIRE(bytes.size() == 302);
  CHECK(bytes[0] == std::byte{0xac});
  CHECK(bytes[1] == std::byte{0x02});
}

TEST_CASE("structs, pairs and tuples encode alike") {
  const auto as_struct = encode_to_bytes(point{1, 2});
  CHECK(as_struct == encode_to_bytes(std::pair<double, double>{1, 2}));
  CHECK(as_struct == encode_to_bytes(std::tuple<double, double>{1, 2}));
}

TEST_CASE("every shape survives a round trip") {
  check_round_trip(std::int8_t{-128});
  check_round_trip(std::numeric_limits<std::uint64_t>::max());
  check_round_trip(color::blue);
  check_round_trip(std::string());
  check_round_trip(std::string("with\0zero", 9));
  check_round_trip(std::string(100'000, 'x'));
  check_round_trip(std::vector<int>{1, 2, 3});
  check_round_trip(std::vector<std::byte>(1000, std::byte{9}));
  check_round_trip(std::vector<bool>{true, false, true});
  check_round_trip(std::vector<std::string>{"", "a", std::string(200, 'b')});
  check_round_trip(std::deque<int>{1, 2});
  check_round_trip(std::list<std::string>{"x", "y"});
  check_round_trip(std::set<int>{3, 1, 2});
  check_round_trip(std::multiset<int>{1, 1, 2});
  check_round_trip(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  check_round_trip(std::multimap<int, int>{{1, 2}, {1, 3}});
  check_round_trip(std::unordered_map<std::string, int>{{"a", 1}, {"b", 2}});
  check_round_trip(std::unordered_set<int>{5, 6});
  check_round_trip(std::optional<int>{});
  check_round_trip(std::optional<std::string>{"x"});
  check_round_trip(std::variant<std::monostate, int, std::string>{});
  check_round_trip(std::variant<std::monostate, int, std::string>{"text"});
  check_round_trip(std::array<std::string, 2>{"a", "b"});
  check_round_trip(std::array<bool, 2>{true, false});
  check_round_trip(std::tuple<int, std::string, bool>{1, "x", true});
  check_round_trip(std::chrono::milliseconds(-5));
  check_round_trip(std::chrono::system_clock::time_point(std::chrono::hours(5)));
  check_round_trip(std::chrono::duration<double>(0.5));
  check_round_trip(execution_attempt_id{{1, 2}, 3, 4, 5});
  check_round_trip(std::vector<nothing>(7));
  check_round_trip(std::vector<padded>(100, padded{1, 2, true}));
  check_round_trip(opaque(17));
  check_round_trip(std::map<int, opaque>{{1, opaque(3)}});
  check_round_trip(sample_everything());
  check_round_trip(std::vector<everything>(5, sample_everything()));
  check_round_trip(sample_tree(3));
}

TEST_CASE("floats keep every bit") {
  const std::uint64_t patterns[] = {0x0000000000000000, 0x8000000000000000, 0x7ff0000000000000,
                                    0xfff0000000000000, 0x7ff8000000000000, 0x7ff8deadbeef0001,
                                    0xfff8000000000000, 0x0000000000000001, 0x800fffffffffffff,
                                    0x7fefffffffffffff};
  for (const std::uint64_t pattern : patterns) {
    CHECK(std::bit_cast<std::uint64_t>(round_trip(std::bit_cast<double>(pattern))) == pattern);
    const point in_struct = round_trip(point{std::bit_cast<double>(pattern), 1});
    CHECK(std::bit_cast<std::uint64_t>(in_struct.x) == pattern);
  }
  for (const std::uint32_t pattern : {0x80000000u, 0x7fc12345u, 0x00000001u, 0xff800000u})
    CHECK(std::bit_cast<std::uint32_t>(round_trip(std::bit_cast<float>(pattern))) == pattern);
}

TEST_CASE("a truncated encoding is refused at every byte") {
  check_truncations(sample_everything());
  check_truncations(std::vector<everything>(2, sample_everything()));
  check_truncations(std::vector<padded>(3, padded{1, 2, true}));
  check_truncations(std::map<std::string, int>{{"a", 1}, {"b", 2}});
  check_truncations(sample_tree(3));
  check_truncations(std::string(300, 'x'));
}

TEST_CASE("errors say where and why") {
  const auto message = [](const auto& outcome) { return outcome.error().message; };
  CHECK(message(decode_bytes<std::uint32_t>(bytes_of({1, 2}))) ==
        "can't decode: the data ends in the middle of a value (at byte 0 of 2)");
  CHECK(message(decode_bytes<bool>(bytes_of({2}))) ==
        "can't decode: a bool is neither 0 nor 1 (at byte 1 of 1)");
  CHECK(message(decode_bytes<bool>(bytes_of({1, 1}))) ==
        "can't decode: bytes are left over behind the value (at byte 1 of 2)");
  CHECK(message(decode_bytes<std::string>(bytes_of({5, 'a'}))) ==
        "can't decode: a length says more elements than the data can hold (at byte 1 of 2)");
  CHECK(message(decode_bytes<std::string>(bytes_of({255, 255, 255, 255, 255, 1}))) ==
        "can't decode: a length does not fit 32 bits (at byte 5 of 6)");
  CHECK(message(decode_bytes<std::variant<int, bool>>(bytes_of({2}))) ==
        "can't decode: a variant names an alternative it does not have (at byte 1 of 1)");
  CHECK(message(decode_bytes<std::set<bool>>(bytes_of({2, 1, 1}))) ==
        "can't decode: a set or map holds the same key twice (at byte 3 of 3)");
  CHECK(message(decode_bytes<opaque>(bytes_of({0, 0, 0, 0}))) ==
        "can't decode: an opaque must not be 0 (at byte 4 of 4)");
  CHECK(decode_bytes<bool>(bytes_of({2})).error().code == errc::invalid_data);
}

TEST_CASE("lengths are refused before memory is allocated") {
  const auto huge = bytes_of({255, 255, 255, 255, 15, 0});
  CHECK_FALSE(decode_bytes<std::vector<std::uint64_t>>(huge));
  CHECK_FALSE(decode_bytes<std::vector<everything>>(huge));
  CHECK_FALSE(decode_bytes<std::vector<nothing>>(huge));
  CHECK_FALSE(decode_bytes<std::vector<std::vector<nothing>>>(huge));
  CHECK_FALSE(decode_bytes<std::list<nothing>>(huge));
  CHECK_FALSE(decode_bytes<std::unordered_map<int, int>>(huge));
  CHECK_FALSE(decode_bytes<std::string>(huge));
}

TEST_CASE("what no reader would take is not written") {
  CHECK_THROWS_AS(encode_to_bytes(std::vector<nothing>(codec_weightless_bytes_max + 1)), failure);
  CHECK_THROWS_AS(encode_to_bytes(sample_chain(codec_nesting_max + 1)), failure);
  CHECK_NOTHROW(encode_to_bytes(sample_chain(codec_nesting_max)));
  CHECK(decode_bytes<chain>(encode_to_bytes(sample_chain(codec_nesting_max))).has_value());
}

TEST_CASE("a value that nests too deep is refused") {
  const std::vector<std::byte> deep(1'000'000, std::byte{1});
  CHECK(decode_bytes<chain>(deep).error().message ==
        "can't decode: containers nest too deep (at byte 100 of 1000000)");
}

TEST_CASE("errors of a reader stick") {
  const auto bytes = bytes_of({2, 1, 1, 1, 1});
  byte_reader in(bytes);
  bool flag = false;
  std::int32_t number = 0;
  CHECK_FALSE(decode(in, flag));
  CHECK_FALSE(decode(in, number));
  CHECK(in.remaining() == 0);
  CHECK_FALSE(in.ok());
}

TEST_CASE("a writer appends to what it was given and can be used again") {
  byte_writer out(bytes_of({9}));
  encode(out, std::uint8_t{1}, std::string("a"));
  CHECK(std::vector<std::byte>(out.bytes().begin(), out.bytes().end()) == bytes_of({9, 1, 1, 'a'}));
  out.clear();
  encode(out, std::uint8_t{2});
  CHECK(std::move(out).take() == bytes_of({2}));
  CHECK(out.size() == 0);
}

TEST_CASE("decoding overwrites an old value completely") {
  everything value = sample_everything();
  byte_writer out;
  encode(out, everything{});
  byte_reader in(out.bytes());
  REQUIRE(decode(in, value));
  CHECK(value == everything{});
}

TEST_CASE("random bytes never crash a decoder") {
  constexpr std::uint64_t seed = 20240611;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::size_t accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::vector<std::byte> bytes(random() % 64);
    // Small values make plausible lengths, which reach deeper than noise does.
    const bool small = random() % 2 == 0;
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(small ? random() % 4 : random());
    accepted += decode_bytes<everything>(bytes).has_value();
    accepted += decode_bytes<tree>(bytes).has_value();
    accepted +=
        decode_bytes<std::vector<std::map<std::string, std::optional<int>>>>(bytes).has_value();
  }
  CHECK(accepted > 0);
}

TEST_CASE("damaged encodings never crash a decoder and decode to encodable values") {
  constexpr std::uint64_t seed = 4711;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto original = encode_to_bytes(std::vector<everything>(2, sample_everything()));
  for (int i = 0; i < 50'000; ++i) {
    auto bytes = original;
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (const auto value = decode_bytes<std::vector<everything>>(bytes)) encode_to_bytes(*value);
  }
}

}  // namespace codec_test
