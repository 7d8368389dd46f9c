#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "millrace/operators/external_sorter.hpp"
#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/sort_key.hpp"
#include "millrace/operators/sort_run.hpp"
#include "support/memory_files.hpp"
#include "support/operator_harness.hpp"

namespace sort_test {

using namespace millrace;

namespace {

template <sort_order Order = sort_order::ascending, class T>
std::string key_of(const T& value) {
  byte_writer out;
  write_sort_key<Order>(out, value);
  const auto bytes = out.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The keys of values that are in order are, too, and the other way round when descending.
template <class T>
void check_order(const std::vector<T>& ascending) {
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = i + 1; j < ascending.size(); ++j) {
      CAPTURE(i);
      CAPTURE(j);
      CHECK(key_of(ascending[i]) < key_of(ascending[j]));
      CHECK(key_of<sort_order::descending>(ascending[i]) >
            key_of<sort_order::descending>(ascending[j]));
    }
  }
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using harness = test::operator_harness<int, int>;

/// A harness is the world of an operator; a sorter needs only that.
std::unique_ptr<harness> make_world() {
  const auto nothing = make_factory<int, int>([] {
    return std::make_unique<flat_map_operator<int, int, void (*)(const int&, collector<int>&)>>(
        [](const int&, collector<int>&) {});
  });
  return std::make_unique<harness>(nothing, runtime_context::identity());
}

/// What a sorter gives, running its I/O when it waits.
std::vector<std::string> read_all(external_sorter& sorter, harness& world) {
  std::vector<std::string> payloads;
  sort_record record;
  for (;;) {
    switch (sorter.peek(record)) {
      case external_sorter::next::record:
        payloads.push_back(text_of(record.payload));
        sorter.advance();
        break;
      case external_sorter::next::waiting:
        REQUIRE(sorter.is_busy());
        REQUIRE_FALSE(world.manual().is_empty());
        world.manual().run();
        break;
      case external_sorter::next::end:
        return payloads;
    }
  }
}

}  // namespace

TEST_CASE("sort keys compare as the values do") {
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  constexpr auto greatest = std::numeric_limits<std::int64_t>::max();
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  check_order<std::int64_t>({least, -256, -255, -1, 0, 1, 255, 256, greatest});
  check_order<std::uint16_t>({0, 1, 255, 256, 65535});
  check_order<double>(
      {-infinity, -1e300, -1, -1e-300, 0, 1e-300, 1, 1.5, 1e300, infinity, std::nan("")});
  check_order<std::string>({"", std::string(1, '\0'), std::string(2, '\0'), std::string("\0a", 2),
                            "\x01", "a", std::string("a\0", 2), "ab", "b", "\xff"});
  check_order<std::optional<bool>>({std::nullopt, false, true});
  check_order<std::vector<std::string>>({{}, {""}, {"", "a"}, {"a"}, {"a", ""}, {"b"}});
  check_order<std::pair<std::string, int>>({{"", 5}, {"a", -1}, {"a", 2}, {"ab", 0}});
  check_order<std::chrono::milliseconds>({std::chrono::milliseconds(-5), std::chrono::seconds(1)});
  CHECK(key_of(0.0) == key_of(-0.0));
  CHECK(key_of(std::nan("1")) == key_of(-std::nan("2")));
}

TEST_CASE("an external sorter is stable, whatever has to be written to files") {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto world = make_world();
    std::vector<std::pair<std::string, std::string>> rows(random() % 3000);
    for (std::size_t i = 0; i < rows.size(); ++i)
      rows[i] = {std::string(random() % 10, static_cast<char>('a' + random() % 3)),
                 std::to_string(i) + std::string(random() % 50 == 0 ? 3000 : 0, '.')};
    {
      external_sorter sorter(*world, "rows", std::uint64_t{1} << (random() % 20));
      for (std::size_t at = 0; at < rows.size();) {
        if (sorter.is_busy()) {
          world->manual().run();
          continue;
        }
        for (const auto end = std::min(rows.size(), at + 1 + random() % 60); at < end; ++at)
          sorter.add({bytes_of(rows[at].first), 0, bytes_of(rows[at].second)});
        sorter.pump();
        if (random() % 2 == 0) world->manual().run_all();
      }
      sorter.end_input();
      std::stable_sort(rows.begin(), rows.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      std::vector<std::string> expected;
      for (const auto& [key, payload] : rows) expected.push_back(payload);
      CHECK(read_all(sorter, *world) == expected);
      sorter.rewind();
      CHECK(read_all(sorter, *world) == expected);
    }
    world->manual().run_all();
    CHECK(world->memory().paths().empty());
  }
}

TEST_CASE("a sorter that goes early leaves no files") {
  for (int steps = 0; steps < 12; ++steps) {
    const auto world = make_world();
    {
      external_sorter sorter(*world, "rows", 1);
      for (int i = 0; i < 6; ++i) {
        sorter.add({bytes_of("key"), 3, bytes_of("payload")});
        sorter.pump();
        if (i < steps) world->manual().run_all();
      }
      if (steps > 6) sorter.end_input();
      for (int i = 6; i < steps && !world->manual().is_empty(); ++i) world->manual().run();
    }
    world->manual().run_all_without_completion();
    CHECK(world->memory().paths().empty());
  }
}

TEST_CASE("a run that is not what was written is refused") {
  test::memory_files files;
  const auto write = [&] {
    static_cast<void>(files.remove("run"));
    auto run = run_writer::create(files, "run", 64);
    REQUIRE(run);
    for (const std::string text : {"first", "second", "third"})
      REQUIRE(run->add({bytes_of(text), 0, bytes_of(text + text)}));
    REQUIRE(run->finish());
    return files.content("run");
  };
  const auto read = [&]() -> result<int> {
    auto run = run_reader::open(files, "run");
    if (!run) return tl::unexpected(run.error());
    sort_record record;
    for (int count = 0;; ++count) {
      auto more = run->next(record);
      if (!more) return tl::unexpected(more.error());
      if (!*more) return count;
    }
  };
  const auto good = write();
  CHECK(read() == 3);
  for (std::size_t at = 0; at < good.size(); ++at) {
    CAPTURE(at);
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    files.put("run", bad);
    const auto outcome = read();
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == errc::invalid_data);
    CHECK(outcome.error().message.starts_with("the temporary file 'run' is damaged near byte "));
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    files.put("run", good.substr(0, size));
    CHECK_FALSE(read());
  }
}

}  // namespace sort_test
