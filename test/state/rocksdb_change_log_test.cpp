#include "millrace/state/rocksdb_change_log.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/state/keyed_state_backend.hpp"
#include "reference/random_numbers.hpp"
#include "support/rocksdb_world.hpp"
#include "support/temporary_directory.hpp"

namespace rocksdb_change_log_test {

using namespace millrace;
using millrace::test::canonical_of;
using millrace::test::copy_of;
using millrace::test::native_snapshot;
using millrace::test::native_snapshot_of;
using millrace::test::rocksdb_world;
using millrace::test::snapshot_of;
using millrace::test::temporary_directory;
using millrace::test::reference::random_numbers;

namespace {

using text_backend = keyed_state_backend<std::int64_t>;

value_state<std::string> text_of(text_backend& state) {
  return state.get_state(value_state_descriptor<std::string>("text"));
}

void put(text_backend& state, std::int64_t key, std::string value) {
  state.set_current_key(key);
  text_of(state).update(std::move(value));
}

/// Of an image with a log of the value of key 2.
native_snapshot snapshot_with_log(text_backend& state) {
  put(state, 1, "one");
  native_snapshot_of(state);
  put(state, 2, "two");
  return native_snapshot_of(state);
}

std::set<std::string> files_of(const native_snapshot& saved, std::string_view ending) {
  std::set<std::string> names;
  for (const auto& file : saved.image->files())
    if (file.name.ends_with(ending)) names.insert(file.name);
  return names;
}

/// Both ways to read it: by who reads the files only, and by who goes on with them.
void check_same(rocksdb_world& r, const native_snapshot& saved, text_backend& state) {
  const auto expected = snapshot_of(state);
  std::vector<std::vector<std::byte>> read(state.max_parallelism());
  for (const auto& [group, bytes] : canonical_of(saved)) read[group] = copy_of(bytes);
  CHECK(read == expected);
  CHECK(snapshot_of(*r.world.make_from<std::int64_t>(saved)) == expected);
}

std::size_t files_in(const std::string& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory),
                                                std::filesystem::directory_iterator()));
}

const std::string batch(100, 'b');

}  // namespace

TEST_CASE("RocksDB reads the log of an image as one of its own, whatever the size of its records") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  random_numbers random(7);
  const auto random_text = [&](std::int64_t length) {
    std::string text;
    for (std::int64_t i = 0; i < length; ++i) text += static_cast<char>(random.upto(0, 255));
    return text;
  };
  // The log may get half as large.
  for (std::int64_t n = 1; n <= 16; ++n) put(*state, -n, random_text(1 << 20));
  native_snapshot_of(*state);
  // Blocks of a log have 32,768 bytes, 7 of them are for the header of a piece.
  const auto length = [&](int n) {
    return n % 3 == 0   ? random.upto(0, 40)
           : n % 3 == 1 ? random.upto(32'600, 32'800)
                        : random.upto(0, 100'000);
  };
  constexpr int values_per_snapshot = 20;
  for (int n = 1; n <= 4 * values_per_snapshot; ++n) {
    put(*state, n, random_text(length(n)));
    if (n % 7 == 0) {
      state->set_current_key(n / 2);
      text_of(*state).clear();
    }
    if (n % 2 == 0) state->flush();
    if (n % values_per_snapshot != 0) continue;
    const auto saved = native_snapshot_of(*state);
    CHECK(files_of(saved, ".log").size() == static_cast<std::size_t>(n / values_per_snapshot));
    check_same(r, saved, *state);
  }
}

TEST_CASE("a snapshot adds what has changed since the last one, until that is too much") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  std::int64_t key = 0;
  const auto put_some = [&](int count) {
    for (int n = 0; n < count; ++n) put(*state, key++ % 3000, std::string(1000, 'x'));
  };
  put_some(2000);
  auto last = native_snapshot_of(*state);
  CHECK(files_of(last, ".log").empty());
  // So many snapshots, each of which adds a piece to the log, and then what is too much.
  const auto add_pieces = [&](std::size_t pieces, int values) {
    for (std::size_t n = 1; n <= pieces; ++n) {
      put_some(values);
      auto next = native_snapshot_of(*state);
      CHECK(files_of(next, ".sst") == files_of(last, ".sst"));
      CHECK(files_of(next, ".log").size() == n);
      CHECK(std::ranges::includes(files_of(next, ".log"), files_of(last, ".log")));
      last = std::move(next);
    }
    put_some(values);
  };
  SUBCASE("by its size: a MB, or half of the files") {
    add_pieces(3, 300);
  }
  SUBCASE("by the number of its files") {
    add_pieces(64, 1);
  }
  SUBCASE("all at once") {
    put_some(3000);
  }
  SUBCASE("because there is a new state") {
    state->get_state(value_state_descriptor<std::int64_t>("number")).update(1);
  }
  const auto based_anew = native_snapshot_of(*state);
  CHECK(files_of(based_anew, ".log").empty());
  CHECK(files_of(based_anew, ".sst") != files_of(last, ".sst"));
  check_same(r, based_anew, *state);
  put_some(5);
  const auto next = native_snapshot_of(*state);
  CHECK(files_of(next, ".sst") == files_of(based_anew, ".sst"));
  CHECK(files_of(next, ".log").size() == 1);
  // No name is used twice.
  CHECK_FALSE(std::ranges::includes(files_of(last, ".log"), files_of(next, ".log")));
  check_same(r, next, *state);
}

TEST_CASE("a snapshot without changes adds nothing") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  const auto second = snapshot_with_log(*state);
  const auto third = native_snapshot_of(*state);
  CHECK(files_of(third, "") == files_of(second, ""));
}

TEST_CASE("who goes on with an image goes on with its log") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  auto saved = snapshot_with_log(*state);
  for (std::int64_t n = 3; n < 10; ++n) {
    state = r.world.make_from<std::int64_t>(saved);
    text_of(*state);
    put(*state, n, std::to_string(n));
    put(*state, 1, "now " + std::to_string(n));
    auto next = native_snapshot_of(*state);
    CHECK(files_of(next, ".sst") == files_of(saved, ".sst"));
    CHECK(files_of(next, ".log").size() == static_cast<std::size_t>(n - 1));
    check_same(r, next, *state);
    saved = std::move(next);
  }
}

TEST_CASE(
    "an image has all states, however often the database has flushed and merged since its base") {
  rocksdb_world r(8u << 20);  // memtables of a MB
  auto state = r.world.make<std::int64_t>();
  const auto text = text_of(*state);
  const auto counts =
      state->get_map_state(map_state_descriptor<std::int64_t, std::int64_t>("counts"));
  random_numbers random(11);
  const auto change = [&](int times) {
    for (int n = 0; n < times; ++n) {
      state->set_current_key(random.upto(0, 3000));
      std::string value;
      for (int i = 0; i < 4000; ++i) value += static_cast<char>(random.upto(0, 255));
      if (random.one_of(10))
        text.clear();
      else
        text.update(std::move(value));
      state->set_current_key(random.upto(0, 3000));
      counts.put(random.upto(0, 5), n);
      if (random.one_of(5)) counts.remove(random.upto(0, 5));
    }
  };
  change(5000);
  const auto base = native_snapshot_of(*state);
  auto restored = r.world.make<std::int64_t>();
  for (std::size_t n = 1; n <= 3; ++n) {
    change(350);
    const auto saved = native_snapshot_of(*state);
    CHECK(files_of(saved, ".sst") == files_of(base, ".sst"));
    CHECK(files_of(saved, ".log").size() == n);
    check_same(r, saved, *state);
    restored = r.world.make_from<std::int64_t>(saved);
  }
  // What goes on makes a base of its own some time, from which another goes on.
  text_of(*restored);
  for (std::int64_t key = 0; key < 1500; ++key) put(*restored, key, std::string(6000, 'x'));
  const auto rebased = native_snapshot_of(*restored);
  CHECK(files_of(rebased, ".log").empty());
  put(*restored, 1, "now");
  check_same(r, native_snapshot_of(*restored), *restored);
}

TEST_CASE("what a base kept of the disk goes when it is of no use any more") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  const auto directories = [&] { return files_in(r.backend->directory()); };
  put(*state, 1, "one");
  state->flush();
  const auto without = directories();
  native_snapshot_of(*state);
  const auto with_log = directories();
  CHECK(with_log == without + 2);
  put(*state, 2, std::string(2u << 20, 'x'));
  state->flush();
  CHECK(directories() == with_log - 1);
  native_snapshot_of(*state);
  CHECK(directories() == with_log);
  native_snapshot_of(*state);
  CHECK(directories() == with_log);
}

TEST_CASE("to read an image takes no directory") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  put(*state, 1, "one");
  const auto saved = native_snapshot_of(*state);
  const auto before = files_in(r.backend->directory());
  canonical_of(saved);
  CHECK(files_in(r.backend->directory()) == before);
}

TEST_CASE("a damaged log is no image") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  const auto saved = snapshot_with_log(*state);
  const auto path = saved.image->directory() + "/" + *files_of(saved, ".log").begin();
  local_file_system files;
  auto content = read_file(files, path, 1u << 20).value();
  SUBCASE("cut off") {
    content.pop_back();
  }
  SUBCASE("of other bytes") {
    content.back() ^= 1;
  }
  std::filesystem::remove(path);  // which other images have, too
  REQUIRE(files.open_writer(path, write_mode::create)
              .value()
              ->append(std::as_bytes(std::span(content))));
  CHECK_THROWS_WITH_AS(r.world.make_from<std::int64_t>(saved),
                       doctest::Contains("can't open the restored state database"), failure);
}

TEST_CASE("a log that is given up leaves no files") {
  const temporary_directory directory;
  const auto path = directory.path() + "/log";
  {
    rocksdb_change_log log(path);
    CHECK_FALSE(log.is_complete());
    log.append(batch, 1);  // nobody has asked for it
    log.cut();
    CHECK(log.files().empty());
    log.begin(7, 3 * batch.size());
    log.append(batch, 1);
    log.cut();
    log.cut();
    log.append(batch, 2);
    log.cut();
    REQUIRE(log.files().size() == 2);
    CHECK(log.files()[0].name == "000008.log");
    CHECK(log.files()[0].bytes == batch.size() + 7);
    CHECK(log.files()[1].name == "000009.log");
    log.append(batch, 3);
    CHECK(log.is_complete());
    log.append(batch, 4);
    CHECK_FALSE(log.is_complete());
    CHECK(files_in(path) == 0);
    log.append(batch, 5);
    log.cut();
    CHECK(log.files().empty());
    log.begin(8, batch.size());
    log.append(batch, 6);
    log.cut();
    REQUIRE(log.files().size() == 1);
    CHECK(log.files()[0].name == "000011.log");
  }
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a log that can't be written is given up") {
  const temporary_directory directory;
  const auto path = directory.path() + "/log";
  rocksdb_change_log log(path);
  log.begin(1, 1u << 20);
  std::filesystem::remove_all(path);
  log.append(batch, 1);
  CHECK_FALSE(log.is_complete());
  log.begin(1, 1u << 20);
  log.append(batch, 2);
  CHECK(log.is_complete());
}

}  // namespace rocksdb_change_log_test
