#include <doctest/doctest.h>
#include <zlib.h>

#include "millrace/connectors/collection_source.hpp"
#include "millrace/connectors/file_source.hpp"
#include "millrace/connectors/generator_source.hpp"
#include "millrace/connectors/sequence_source.hpp"
#include "support/source_harness.hpp"

namespace source_recovery_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::source_harness;

namespace {

/// Reads `polls` times, saves, and has a new reader read the rest: what both have emitted.
template <class T>
std::vector<T> with_restart(const std::shared_ptr<const source_base<T>>& source, int polls,
                            const std::map<std::string, std::string>& files = {}) {
  source_harness<T> before(source);
  for (const auto& [path, text] : files) before.memory().put(path, text);
  before.open();
  for (int i = 0; i < polls; ++i) {
    if (before.poll_once() == poll_status::idle && !before.manual().is_empty())
      before.manual().run();
  }
  auto got = before.take();
  const auto enumerator = before.checkpoint_coordinator({1});
  const auto saved = before.checkpoint({1});
  before.close();
  before.manual().run_all_without_completion();

  source_harness<T> after(source);
  for (const auto& [path, text] : files) after.memory().put(path, text);
  after.restore(saved, enumerator);
  after.open();
  CHECK(after.poll_all() == poll_status::finished);
  for (auto& each : after.take()) got.push_back(std::move(each));
  return got;
}

std::string gzipped(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("a file is read on from the line where a reader was, whole or in splits, plain or not") {
  std::string text;
  std::vector<std::string> lines;
  for (int i = 0; i < 40; ++i) {
    lines.push_back(i % 7 == 0 ? "" : "line " + std::to_string(i * i * i));
    text += lines.back() + (i == 39 ? "" : i % 3 == 0 ? "\r\n" : "\n");
  }
  for (const std::uint64_t split_bytes : {50u, 100'000u}) {
    for (const std::size_t chunk_bytes : {7u, 64u, 4096u}) {
      const file_source_options options{.chunk_bytes = chunk_bytes, .split_bytes = split_bytes};
      for (int polls = 0; polls < 60; polls += 3) {
        CAPTURE(split_bytes);
        CAPTURE(chunk_bytes);
        CAPTURE(polls);
        REQUIRE(with_restart(make_text_files("/in", options), polls, {{"/in/a", text}}) == lines);
        REQUIRE(with_restart(make_text_files("/in", options), polls,
                             {{"/in/a.gz", gzipped(text)}}) == lines);
      }
    }
  }
}

TEST_CASE("files that were found are not read again after a restart, new ones are") {
  const auto source = make_text_files("/in", file_source_options{}.monitor_continuously(10s));
  source_harness<std::string> before(source);
  before.memory().put("/in/a", "a\n");
  before.memory().put("/in/b", "b\n");
  before.open();
  CHECK(before.poll_all() == poll_status::idle);
  CHECK(before.take() == std::vector<std::string>{"a", "b"});
  const auto enumerator = before.checkpoint_coordinator({1});

  source_harness<std::string> after(source);
  for (const std::string name : {"a", "b", "c"}) after.memory().put("/in/" + name, name + "\n");
  after.restore(before.checkpoint({1}), enumerator);
  after.open();
  CHECK(after.poll_all() == poll_status::idle);
  CHECK(after.take() == std::vector<std::string>{"c"});
  after.memory().put("/in/d", "d\n");
  after.wake_coordinator();
  CHECK(after.poll_all() == poll_status::idle);
  CHECK(after.take() == std::vector<std::string>{"d"});
}

TEST_CASE("numbers and elements go on where they were") {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = -5; i <= 30; ++i) numbers.push_back(i);
  row_vector<std::int64_t> elements(numbers.begin(), numbers.end());
  for (int polls = 0; polls < 8; ++polls) {
    CHECK(with_restart(make_sequence(-5, 30), polls) == numbers);
    CHECK(with_restart(make_collection<std::int64_t>(elements), polls) == numbers);
    CHECK(with_restart(
              make_generator<std::int64_t>(
                  [](std::uint64_t i) { return static_cast<std::int64_t>(i) - 5; }, {.count = 36}),
              polls) == numbers);
  }
}

TEST_CASE("the whole of int64 can be a sequence") {
  constexpr auto first = std::numeric_limits<std::int64_t>::min();
  constexpr auto last = std::numeric_limits<std::int64_t>::max();
  source_harness<std::int64_t> source(make_sequence(first, last));
  source.open();
  CHECK(source.poll_once() == poll_status::more);
  CHECK(source.take().front() == first);
}

TEST_CASE("a generator's rate is shared by its readers, and kept by who takes over their splits") {
  runtime_context::identity self;
  self.parallelism = 2;
  const auto source =
      make_generator<std::uint64_t>([](std::uint64_t i) { return i; }, {.per_second = 8.0});
  source_harness<std::uint64_t> half(source, self);
  half.open();
  half.poll_all();
  half.clock_now().advance(1s);
  half.poll_all();
  CHECK(half.take() == std::vector<std::uint64_t>{0, 2, 4, 6});
}

}  // namespace source_recovery_test
