#include "millrace/stream/collector.hpp"

#include <doctest/doctest.h>

#include "support/stream_world.hpp"

namespace collector_test {

using namespace millrace;
using namespace millrace::test;

namespace {

struct word_count {
  std::string word;
  std::int64_t count = 0;
  bool operator==(const word_count&) const = default;
};

template <class T>
struct wired {
  keeping_consumer<T> consumer;
  output out;
  collector<T> rows;

  explicit wired(batch_limits limits = {}) {
    out.add(consumer);
    rows.bind(out, limits);
  }
};

}  // namespace

TEST_CASE("a collector hands on full batches at once and the rest when flushed") {
  wired<std::int64_t> w({.rows = 10, .bytes = 64 * 1024});
  for (auto n : numbers(25)) w.rows.emit(n);
  CHECK(w.consumer.sizes == std::vector<std::size_t>{10, 10});
  w.rows.flush();
  CHECK(w.consumer.sizes == std::vector<std::size_t>{10, 10, 5});
  w.rows.flush();
  CHECK(w.consumer.sizes.size() == 3);
  CHECK(w.consumer.all == numbers(25));
  CHECK(w.out.rows_out() == 25);
}

TEST_CASE("a collector keeps to limits of few rows or bytes") {
  wired<std::int64_t> one({.rows = 1, .bytes = 1});
  for (auto n : numbers(3)) one.rows.emit(n);
  CHECK(one.consumer.sizes == std::vector<std::size_t>{1, 1, 1});
  wired<std::int64_t> small({.rows = 4096, .bytes = 64});
  for (auto n : numbers(20)) small.rows.emit(n);
  CHECK(small.consumer.sizes == std::vector<std::size_t>{8, 8});
}

TEST_CASE("records that are made many at once keep to the limits, too") {
  wired<std::int64_t> w({.rows = 10, .bytes = 64 * 1024});
  w.rows.emit(std::int64_t{100});
  w.rows.emit_made(25, [](std::int64_t* out, std::size_t first, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::int64_t>(first + i);
  });
  w.rows.flush();
  CHECK(w.consumer.sizes == std::vector<std::size_t>{10, 10, 6});
  auto expected = numbers(25);
  expected.insert(expected.begin(), 100);
  CHECK(w.consumer.all == expected);
}

TEST_CASE("a collector counts what rows own: long texts do not pile up") {
  wired<std::string> w({.rows = 4096, .bytes = 64 * 1024});
  const std::string page(20'000, 'x');
  for (int i = 0; i < 10; ++i) w.rows.emit(page);
  CHECK(w.consumer.sizes == std::vector<std::size_t>{4, 4});
}

TEST_CASE("records are copied, moved or made in place") {
  wired<word_count> w;
  const word_count copied{"copied", 1};
  word_count moved{"moved, and longer than a short string", 2};
  w.rows.emit(copied);
  w.rows.emit(std::move(moved));
  w.rows.emplace("made", 3);
  w.rows.emplace(word_count{"whole", 4});
  w.rows.flush();
  CHECK(copied.word == "copied");
  CHECK(w.consumer.all == std::vector<word_count>{{"copied", 1},
                                                  {"moved, and longer than a short string", 2},
                                                  {"made", 3},
                                                  {"whole", 4}});
}

TEST_CASE("records are made in place of whatever makes their fields") {
  struct place {
    std::string name;
    std::optional<std::string> alias;
    std::array<std::int64_t, 2> at;
    std::string region = "none";
  };
  wired<place> w;
  std::string name = "short";
  std::string longer = "longer than any short string";
  w.rows.emplace(name, longer, std::array<std::int64_t, 2>{1, 2}, name);
  w.rows.emplace(std::move(longer), std::nullopt, 3, 4, std::move(name));
  w.rows.emplace();
  w.rows.flush();
  REQUIRE(w.consumer.all.size() == 3);
  const auto& first = w.consumer.all[0];
  CHECK(first.name == "short");
  CHECK(first.alias == "longer than any short string");
  CHECK(first.at[1] == 2);
  CHECK(first.region == "short");
  const auto& second = w.consumer.all[1];
  CHECK(second.name == "longer than any short string");
  CHECK(!second.alias);
  CHECK(second.at[1] == 4);
  CHECK(second.region == "short");
  const auto& third = w.consumer.all[2];
  CHECK(third.name.empty());
  CHECK(third.region == "none");
}

TEST_CASE("text of every length survives being copied and moved between batches") {
  wired<std::string> lines;
  wired<word_count> words;
  wired<std::pair<std::string, std::string>> pairs;
  std::vector<std::string> expected;
  for (std::size_t length = 0; length < 40; ++length) {
    for (const bool with_spare_room : {false, true}) {
      std::string text(length, static_cast<char>('a' + length % 26));
      if (length > 2) text[1] = '\0';
      if (with_spare_room) text.reserve(200);
      expected.push_back(text);
      lines.rows.emit(text);
      words.rows.emit(word_count{text, 1});
      pairs.rows.emit(std::pair(text, text));
      const word_count shared{text, 2};
      words.rows.emit(shared);
      lines.rows.emit(std::move(text));
    }
  }
  lines.rows.flush();
  words.rows.flush();
  pairs.rows.flush();
  REQUIRE(lines.consumer.all.size() == 2 * expected.size());
  REQUIRE(words.consumer.all.size() == 2 * expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(lines.consumer.all[2 * i] == expected[i]);
    CHECK(lines.consumer.all[2 * i + 1] == expected[i]);
    CHECK(words.consumer.all[2 * i] == word_count{expected[i], 1});
    CHECK(words.consumer.all[2 * i + 1] == word_count{expected[i], 2});
    CHECK(pairs.consumer.all[i] == std::pair(expected[i], expected[i]));
  }
}

TEST_CASE("a consumer may take the rows away") {
  wired<std::string> w({.rows = 3, .bytes = 64 * 1024});
  w.consumer.takes_rows = true;
  for (int i = 0; i < 10; ++i) w.rows.emit(std::to_string(i));
  w.rows.flush();
  CHECK(w.consumer.all.size() == 10);
  CHECK(w.consumer.accesses.back() == rows_access::exclusive);
}

TEST_CASE("a consumer may keep the batch") {
  struct keeper final : batch_consumer {
    std::vector<batch_ptr> kept;
    void consume(batch& rows, rows_access) override { kept.emplace_back(&rows); }
  } keeper;
  output out;
  out.add(keeper);
  collector<std::int64_t> rows;
  rows.bind(out, {.rows = 2, .bytes = 64});
  for (auto n : numbers(4)) rows.emit(n);
  REQUIRE(keeper.kept.size() == 2);
  CHECK(rows_of<std::int64_t>(*keeper.kept[0]) == numbers(2));
  CHECK(rows_of<std::int64_t>(*keeper.kept[1]) == numbers(2, 2));
}

TEST_CASE("of several consumers only the last may take the rows") {
  keeping_consumer<std::int64_t> first, second, third;
  third.takes_rows = true;
  output out;
  CHECK(out.is_empty());
  for (auto* c : {&first, &second, &third}) out.add(*c);
  auto rows = batch_of(numbers(5));
  out.push(*rows, rows_access::exclusive);
  CHECK(first.accesses[0] == rows_access::shared);
  CHECK(second.accesses[0] == rows_access::shared);
  CHECK(third.accesses[0] == rows_access::exclusive);
  for (auto* c : {&first, &second, &third}) CHECK(c->all == numbers(5));
  CHECK(out.rows_out() == 5);
  rows = batch_of(numbers(5));
  out.push(*rows, rows_access::shared);
  CHECK(third.accesses[1] == rows_access::shared);
}

TEST_CASE("records get the timestamp that was set last") {
  wired<std::int64_t> w({.rows = 4, .bytes = 64 * 1024});
  w.rows.emit(0);
  w.rows.set_timestamp(10);
  w.rows.emit(1);
  w.rows.emit(2);
  w.rows.emit(3, 20);  // full
  w.rows.emit(4);
  w.rows.set_timestamp(no_timestamp);
  w.rows.emit(5);
  w.rows.flush();
  CHECK(w.consumer.all == numbers(6));
  CHECK(w.consumer.timestamps == timestamp_column{no_timestamp, 10, 10, 20, 20, no_timestamp});
}

TEST_CASE("batches without timestamps have no column of them") {
  wired<std::int64_t> w;
  struct : batch_consumer {
    void consume(batch& rows, rows_access) override {
      columns.push_back(timestamps_of<std::int64_t>(rows).size());
    }
    std::vector<std::size_t> columns;
  } sizes;
  w.out.add(sizes);
  w.rows.emit(1);
  w.rows.flush();
  w.rows.emit(1, 5);
  w.rows.flush();
  w.rows.set_timestamp(no_timestamp);
  w.rows.emit(1);
  w.rows.flush();
  CHECK(sizes.columns == std::vector<std::size_t>{0, 1, 0});
}

TEST_CASE("rows that were filled in directly get the timestamp, too") {
  wired<std::int64_t> w;
  w.rows.set_timestamp(3);
  w.rows.rows().push_back(7);
  w.rows.rows().push_back(8);
  w.rows.flush();
  CHECK(w.consumer.timestamps == timestamp_column{3, 3});
}

TEST_CASE("an output's watermarks never go back and wait while it is idle") {
  wired<std::int64_t> w;
  w.out.push_watermark(5);
  w.out.push_watermark(5);
  w.out.push_watermark(4);
  w.out.push_status(stream_status::idle);
  w.out.push_status(stream_status::idle);
  w.out.push_watermark(9);
  w.out.push_status(stream_status::active);
  w.out.push_watermark(10);
  CHECK(w.consumer.time == std::vector<timestamp_ms>{5, 10});
  CHECK(w.consumer.statuses ==
        std::vector<stream_status>{stream_status::idle, stream_status::active});
  w.out.push_watermark(max_watermark);  // the end of the input says so, too
  CHECK(w.consumer.time.size() == 2);
  CHECK(w.out.watermark() == max_watermark);
  w.out.push_status(stream_status::idle);  // an idleness timer that has not heard of the end
  CHECK(w.consumer.statuses.size() == 2);
}

}  // namespace collector_test
