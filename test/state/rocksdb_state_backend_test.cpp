#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"
#include "millrace/state/state_backend_provider.hpp"
#include "support/state_world.hpp"
#include "support/temporary_directory.hpp"

namespace rocksdb_state_backend_test {

using namespace millrace;
using namespace std::chrono_literals;
using millrace::test::state_world;
using millrace::test::temporary_directory;

namespace {

std::shared_ptr<rocksdb_state_backend> open_in(const temporary_directory& directory,
                                               std::uint64_t memory_bytes = 64ull << 20) {
  auto made = rocksdb_state_backend::open({directory.path(), memory_bytes});
  REQUIRE(made);
  return std::move(*made);
}

std::size_t files_below(const std::string& path) {
  std::size_t count = 0;
  for (const auto& each : std::filesystem::recursive_directory_iterator(path))
    count += each.is_regular_file();
  return count;
}

}  // namespace

TEST_CASE("a RocksDB store leaves no files behind") {
  const temporary_directory directory;
  {
    const auto backend = open_in(directory);
    state_world world(backend);
    {
      auto state = world.make<std::int64_t>();
      auto other = world.make<std::int64_t>();
      const auto value = state->get_state(value_state_descriptor<std::int64_t>("value"));
      state->set_current_key(1);
      value.update(1);
      state->flush();
      CHECK(files_below(backend->directory()) > 0);
    }
    CHECK(files_below(backend->directory()) == 0);
  }
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("the stores of a RocksDB backend share its memory") {
  const temporary_directory directory;
  const auto backend = open_in(directory, 16u << 20);
  state_world world(backend);
  auto first = world.make<std::int64_t>();
  const auto fill = [](keyed_state_backend<std::int64_t>& state) {
    const auto text = state.get_state(value_state_descriptor<std::string>("text"));
    std::size_t most = 0;
    for (std::int64_t key = 0; key < 60'000; ++key) {
      state.set_current_key(key);
      text.update(std::string(200, 'x') + std::to_string(key));
      most = std::max(most, state.cached_bytes());
    }
    for (std::int64_t key = 0; key < 60'000; key += 777) {
      state.set_current_key(key);
      CHECK(text.value() == std::string(200, 'x') + std::to_string(key));
    }
    return most;
  };
  const auto alone = fill(*first);
  CHECK(alone > 6u << 20);
  CHECK(alone < 10u << 20);
  auto second = world.make<std::int64_t>();
  const auto beside = fill(*second);
  CHECK(beside > 3u << 20);
  CHECK(beside < 5u << 20);
  first->set_current_key(1);
  first->prefetch({}, {});
  CHECK(first->cached_bytes() < 5u << 20);
}

TEST_CASE("a directory that can't be made is an error that names it") {
  const temporary_directory directory;
  directory.write("file", "");
  const auto made = rocksdb_state_backend::open({directory.path("file/below"), 64u << 20});
  REQUIRE(!made);
  CHECK(made.error().message.find(directory.path("file/below")) != std::string::npos);
  CHECK(made.error().message.find("io.tmp.dirs") != std::string::npos);
}

TEST_CASE("a task manager makes each type of backend once, when it is wanted") {
  const temporary_directory directory;
  configuration config;
  REQUIRE(config.set("io.tmp.dirs", directory.path(), "test"));
  const auto backends = make_state_backend_provider(config);
  const auto in_memory = backends("hashmap");
  REQUIRE(in_memory);
  CHECK((*in_memory)->type() == "hashmap");
  CHECK(std::filesystem::is_empty(directory.path()));
  const auto in_files = backends("rocksdb");
  REQUIRE(in_files);
  CHECK((*in_files)->type() == "rocksdb");
  const auto again = backends("rocksdb");
  REQUIRE(again);
  CHECK(*again == *in_files);
}

TEST_CASE("a backend that could not be made is tried again when it is next wanted") {
  const temporary_directory directory;
  directory.write("file", "");
  configuration config;
  REQUIRE(config.set("io.tmp.dirs", directory.path("file"), "test"));
  const auto backends = make_state_backend_provider(config);
  const auto failed = backends("rocksdb");
  REQUIRE(!failed);
  CHECK(failed.error().message.find("io.tmp.dirs") != std::string::npos);
  REQUIRE(std::filesystem::remove(directory.path("file")));
  CHECK(backends("rocksdb"));
}

}  // namespace rocksdb_state_backend_test
