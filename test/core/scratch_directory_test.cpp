#include "millrace/core/scratch_directory.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/temporary_directory.hpp"

namespace scratch_directory_test {

using namespace millrace;
using millrace::test::temporary_directory;

namespace {

/// What lies in the directory.
std::size_t entries(const std::string& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory), {}));
}

}  // namespace

TEST_CASE("a scratch directory goes with its owner, and nothing of it stays") {
  const temporary_directory parent;
  const auto where = parent.path("a/b");
  {
    const auto own = scratch_directory::make(where, "node-", "x");
    REQUIRE(own);
    std::ofstream((*own)->path() + "/file") << "content";
    CHECK(entries(where) == 2);
  }
  CHECK(entries(where) == 0);
}

TEST_CASE("processes that start at once don't take each other's directories for abandoned") {
  const temporary_directory parent;
  const auto where = parent.path("scratch");
  constexpr int starters = 4;
  constexpr int rounds = 100;
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    for (int starter = 0; starter < starters; ++starter) {
      threads.emplace_back([&, starter] {
        for (int round = 0; round < rounds; ++round) {
          const auto own = scratch_directory::make(
              where, "node-", std::to_string(starter) + "-" + std::to_string(round));
          if (own && std::filesystem::exists((*own)->path())) ++made;
        }
      });
    }
  }
  CHECK(made == starters * rounds);
  CHECK(entries(where) == 0);
}

TEST_CASE("what a killed process has left is removed by the next, what is in use is not") {
  const temporary_directory parent;
  const auto where = parent.path("scratch");
  const auto child = ::fork();
  if (child == 0) {
    const auto own = scratch_directory::make(where, "node-", "dead");
    if (own) std::ofstream((*own)->path() + "/file") << "content";
    ::_exit(own ? 0 : 1);  // without destructors
  }
  int how = 0;
  REQUIRE(::waitpid(child, &how, 0) == child);
  REQUIRE(how == 0);
  CHECK(entries(where) == 2);
  std::filesystem::create_directory(where + "/node-of-somebody-else");

  const auto first = scratch_directory::make(where, "node-", "1");
  const auto second = scratch_directory::make(where, "node-", "2");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(std::filesystem::exists((*first)->path()));
  CHECK(entries(where) == 5);
}

TEST_CASE("a scratch directory in a place that cannot be is refused by its name") {
  const temporary_directory parent;
  std::ofstream(parent.path("file")) << "content";
  const auto none = scratch_directory::make(parent.path("file"), "node-", "x");
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find(parent.path("file")) != std::string::npos);
}

}  // namespace scratch_directory_test
