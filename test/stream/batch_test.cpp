#include "millrace/stream/batch.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "support/stream_world.hpp"

namespace batch_test {

using namespace millrace;
using namespace millrace::test;

namespace {

struct point {
  std::int64_t x = 0;
  std::int64_t y = 0;
  bool operator==(const point&) const = default;
};
struct padded {
  std::uint8_t tag = 0;
  std::int64_t value = 0;
  bool flag = false;
  bool operator==(const padded&) const = default;
};
struct text_row {
  std::string key;
  std::int64_t count = 0;
  bool operator==(const text_row&) const = default;
};
struct nested {
  std::vector<std::string> words;
  std::map<std::int32_t, double> weights;
  std::optional<point> where;
  bool operator==(const nested&) const = default;
};
struct nothing {
  bool operator==(const nothing&) const = default;
};

template <class T>
void check_round_trip(std::vector<T> rows) {
  const auto batch = batch_of(rows);
  const auto bytes = over_the_network(*batch);
  CHECK(bytes->is_encoded());
  CHECK(bytes->size() == rows.size());
  const auto decoded = record_type_of<T>().decode(*bytes);
  REQUIRE(decoded);
  CHECK_FALSE((*decoded)->is_encoded());
  const auto& got = rows_of<T>(**decoded);
  CHECK(std::vector<T>(got.begin(), got.end()) == rows);

  // Bytes that were not decoded go on as they are.
  byte_writer again;
  bytes->encode_rows(again);
  CHECK(std::vector<std::byte>(again.bytes().begin(), again.bytes().end()) == bytes->bytes());
}

template <class T>
error decode_error(std::size_t rows, std::vector<std::byte> bytes) {
  const encoded_batch hostile(fingerprint_of<T>(), rows, std::move(bytes));
  const auto decoded = record_type_of<T>().decode(hostile);
  REQUIRE_FALSE(decoded);
  return decoded.error();
}

}  // namespace

TEST_CASE("a batch is unique until somebody else holds it too") {
  batch_ptr one = batch_of(numbers(3));
  CHECK(one->is_unique());
  {
    batch_ptr two = one;
    CHECK_FALSE(one->is_unique());
  }
  CHECK(one->is_unique());
  element moved = record_batch{std::move(one), 0};
  CHECK(std::get<record_batch>(moved).rows->is_unique());
}

TEST_CASE("a batch counts the memory of its rows and of what they own") {
  CHECK(batch_of(numbers(10))->memory_bytes() == 80);
  CHECK(batch_of<std::string>({"short"})->memory_bytes() == sizeof(std::string));
  CHECK(batch_of<std::string>({std::string(1000, 'x')})->memory_bytes() >=
        sizeof(std::string) + 1000);
}

TEST_CASE("rows of every kind come back from their bytes") {
  check_round_trip<std::int64_t>(numbers(1000));
  check_round_trip<std::int64_t>({});
  check_round_trip<point>({{1, 2}, {3, -4}});
  check_round_trip<padded>({{1, 2, true}, {255, -1, false}});
  check_round_trip<bool>({true, false, true, true});
  check_round_trip<text_row>({{"", 1}, {"word", -2}, {std::string(1000, 'x'), 3}});
  check_round_trip<nested>({{{"a", "b"}, {{1, 0.5}}, point{1, 2}}, {}});
  check_round_trip<nothing>({{}, {}, {}});
  check_round_trip<std::pair<std::string, double>>({{"pi", 3.14}});
}

TEST_CASE("plain rows are encoded as they lie in memory") {
  CHECK(over_the_network(*batch_of<point>({{1, 2}, {3, 4}}))->bytes().size() == 32);
  CHECK(over_the_network(*batch_of<padded>({{}, {}}))->bytes().size() == 20);
  CHECK(over_the_network(*batch_of<bool>({true, false}))->bytes().size() == 2);
}

TEST_CASE("records of another type are refused by name") {
  const auto bytes = over_the_network(*batch_of(numbers(3)));
  const auto decoded = record_type_of<text_row>().decode(*bytes);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code == errc::type_mismatch);
  CHECK(decoded.error().message.find("{str,i64}") != std::string::npos);
  CHECK(check_record_type(record_type_of<std::int64_t>(), *bytes));
}

TEST_CASE("every truncation of a batch is an error") {
  const auto whole = over_the_network(*batch_of<nested>(
      {{{"alpha", "beta"}, {{1, 0.5}, {2, 1.5}}, point{1, 2}}, {{"gamma"}, {}, std::nullopt}}));
  for (std::size_t n = 0; n < whole->bytes().size(); ++n) {
    std::vector<std::byte> part(whole->bytes().begin(), whole->bytes().begin() + n);
    CHECK(decode_error<nested>(2, std::move(part)).code == errc::invalid_data);
  }
}

TEST_CASE("bytes behind the last row, or one row too few, are an error") {
  auto bytes = over_the_network(*batch_of<text_row>({{"a", 1}, {"b", 2}}))->bytes();
  CHECK(decode_error<text_row>(1, bytes).message.find("left over") != std::string::npos);
  CHECK(decode_error<text_row>(3, bytes).code == errc::invalid_data);
  bytes.push_back({});
  CHECK(decode_error<text_row>(2, bytes).code == errc::invalid_data);
  CHECK(decode_error<std::int64_t>(1, std::vector<std::byte>(9)).code == errc::invalid_data);
  CHECK(decode_error<std::int64_t>(2, std::vector<std::byte>(9)).code == errc::invalid_data);
}

TEST_CASE("a bool that is neither true nor false is an error") {
  CHECK(decode_error<bool>(1, {std::byte{7}}).code == errc::invalid_data);
  CHECK(decode_error<padded>(1, std::vector<std::byte>(10, std::byte{9})).code ==
        errc::invalid_data);
}

TEST_CASE("a row count that the bytes cannot stand for is refused before memory is taken") {
  // Were any of these believed, the sanitizer or the machine would stop the test.
  for (const std::size_t rows : {std::size_t{1} << 40, static_cast<std::size_t>(-1),
                                 static_cast<std::size_t>(-1) / sizeof(text_row) + 1}) {
    CHECK(decode_error<std::int64_t>(rows, std::vector<std::byte>(64)).code == errc::invalid_data);
    CHECK(decode_error<text_row>(rows, std::vector<std::byte>(64)).code == errc::invalid_data);
    CHECK(decode_error<nested>(rows, std::vector<std::byte>(64)).code == errc::invalid_data);
    CHECK(decode_error<nothing>(rows, {}).code == errc::invalid_data);
  }
}

TEST_CASE("an error of decoding says how many records of which type, and why") {
  const auto message = decode_error<text_row>(2, std::vector<std::byte>(5)).message;
  CHECK(message.find("a batch of 2 records of type {str,i64} in 5 bytes") != std::string::npos);
  CHECK(message.find("fewer bytes") != std::string::npos);
}

TEST_CASE("random bytes are decoded or refused, and nothing else") {
  std::mt19937 rng(1);
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::byte> bytes(rng() % 100);
    for (auto& b : bytes) b = static_cast<std::byte>(rng() % 4 == 0 ? rng() : rng() % 4);
    const encoded_batch batch(fingerprint_of<nested>(), rng() % 10, std::move(bytes));
    if (const auto decoded = record_type_of<nested>().decode(batch))
      CHECK((*decoded)->size() == batch.size());
    else
      CHECK(decoded.error().code == errc::invalid_data);
  }
}

TEST_CASE("timestamps travel behind the rows and count as memory") {
  const auto timed = batch_of<text_row>({{"a", 1}, {"b", 2}}, {7, no_timestamp});
  const auto plain = batch_of<text_row>({{"a", 1}, {"b", 2}});
  CHECK(timed->memory_bytes() == plain->memory_bytes() + 16);
  CHECK(over_the_network(*timed)->bytes().size() == over_the_network(*plain)->bytes().size() + 16);
  const auto decoded = record_type_of<text_row>().decode(*over_the_network(*timed));
  REQUIRE(decoded);
  CHECK(timestamps_of<text_row>(**decoded) == timestamp_column{7, no_timestamp});
  CHECK(rows_of<text_row>(**decoded) == rows_of<text_row>(*timed));
  const auto none = record_type_of<text_row>().decode(*over_the_network(*plain));
  REQUIRE(none);
  CHECK(timestamps_of<text_row>(**none).empty());
}

TEST_CASE("timestamps of some of the rows only are an error") {
  auto bytes = over_the_network(*batch_of<text_row>({{"a", 1}, {"b", 2}}, {7, 8}))->bytes();
  bytes.resize(bytes.size() - 8);
  CHECK(decode_error<text_row>(2, bytes).code == errc::invalid_data);
  bytes.resize(bytes.size() + 16);
  CHECK(decode_error<text_row>(2, bytes).code == errc::invalid_data);
}

}  // namespace batch_test
