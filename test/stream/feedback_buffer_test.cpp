#include "millrace/stream/feedback_buffer.hpp"

#include <doctest/doctest.h>

#include <random>

#include "support/manual_io.hpp"
#include "support/memory_files.hpp"
#include "support/stream_world.hpp"

namespace feedback_buffer_test {

using namespace millrace;
using namespace millrace::test;

namespace {

struct buffer_world {
  manual_io io;
  memory_files files;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> credit;
  std::unique_ptr<feedback_buffer> buffer;

  explicit buffer_world(std::uint64_t memory_bytes = 4096) {
    buffer = std::make_unique<feedback_buffer>(
        io, files, "/tmp/task-feedback", memory_bytes,
        [this](auto channel, auto charge) { credit.emplace_back(channel, charge); });
  }

  /// A batch of 64 numbers: about half a kilobyte.
  void push(std::int64_t first) { buffer->push(0, {batch_of(numbers(64, first)), 5}); }

  std::int64_t take() {
    const auto rows = buffer->take();
    if (!rows->is_encoded()) return rows_of<std::int64_t>(*rows).front();
    byte_reader in(static_cast<const encoded_batch&>(*rows).bytes());
    std::int64_t first = 0;
    CHECK(decode(in, first));
    return first;
  }
};

}  // namespace

TEST_CASE("what fits into memory comes back in order and touches no file") {
  buffer_world w(1 << 20);
  for (std::int64_t i = 0; i < 100; ++i) w.push(i);
  CHECK(w.credit.size() == 100);
  CHECK(w.io.is_empty());
  CHECK(w.buffer->has_room());
  for (std::int64_t i = 0; i < 100; ++i) CHECK(w.take() == i);
  CHECK(w.buffer->is_empty());
}

TEST_CASE("what does not fit goes through files, in order, and the files go, too") {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    buffer_world w;
    std::int64_t pushed = 0, taken = 0;
    bool used_files = false;
    while (taken < 400) {
      switch (random() % 3) {
        case 0:
          // As a sender does, it stops when it gets no credit any more.
          if (pushed < 400 && pushed - static_cast<std::int64_t>(w.credit.size()) < 4)
            w.push(pushed++);
          break;
        case 1:
          if (seed % 3 == 0 && random() % 3 != 0) break;  // a slow disk
          if (!w.io.is_empty()) w.io.run();
          break;
        default:
          if (seed % 2 == 0 && pushed < 400 && random() % 4 != 0) break;  // a slow head
          if (w.buffer->has_next()) CHECK(w.take() == taken++);
      }
      used_files |= !w.files.paths().empty();
      w.buffer->rethrow_failure();
      CHECK(w.buffer->is_empty() == (pushed == taken));
    }
    w.io.run_all();
    CHECK(w.credit.size() == 400);
    CHECK(w.files.paths().empty());
    if (seed % 2 == 0) CHECK(used_files);
  }
}

TEST_CASE("only a disk that is slower than the loop holds credit back") {
  buffer_world w;
  std::int64_t pushed = 0;
  while (w.io.is_empty()) w.push(pushed++);
  CHECK(w.credit.size() == static_cast<std::size_t>(pushed));
  CHECK(!w.buffer->has_room());
  while (w.credit.size() == static_cast<std::size_t>(pushed)) w.push(pushed++);
  CHECK(w.credit.size() + 1 == static_cast<std::size_t>(pushed));
  w.io.run();
  CHECK(w.credit.size() == static_cast<std::size_t>(pushed));
}

TEST_CASE("a disk that fails is told") {
  buffer_world w;
  w.files.put("/tmp/task-feedback/0", "in the way");
  std::int64_t pushed = 0;
  while (w.io.is_empty()) w.push(pushed++);
  CHECK_NOTHROW(w.buffer->rethrow_failure());
  w.io.run();
  CHECK_THROWS_WITH_AS(w.buffer->rethrow_failure(), doctest::Contains("'io.tmp.dirs'"), failure);
}

TEST_CASE("a damaged file is noticed") {
  buffer_world w;
  std::int64_t pushed = 0;
  while (w.io.is_empty()) w.push(pushed++);
  w.io.run();
  REQUIRE(w.files.paths().size() == 1);
  const auto path = w.files.paths().front();
  auto content = w.files.content(path);
  content.back() = static_cast<char>(content.back() ^ 1);
  w.files.put(path, content);
  while (w.buffer->has_next()) w.take();
  w.io.run_all();
  CHECK_THROWS_WITH_AS(w.buffer->rethrow_failure(), doctest::Contains("checksum"), failure);
}

TEST_CASE("files are removed when the buffer goes before it is empty") {
  buffer_world w;
  std::int64_t pushed = 0;
  while (w.io.is_empty()) w.push(pushed++);
  SUBCASE("written") {
    w.io.run();
    CHECK(!w.files.paths().empty());
  }
  SUBCASE("still to be written") {}
  w.buffer.reset();
  w.io.run_all_without_completion();
  CHECK(w.files.paths().empty());
}

}  // namespace feedback_buffer_test
