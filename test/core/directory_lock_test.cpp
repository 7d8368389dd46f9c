#include <doctest/doctest.h>
#include <unistd.h>

#include "millrace/core/directory_lock.hpp"
#include "support/temporary_directory.hpp"

namespace directory_lock_test {

using namespace millrace;

TEST_CASE("a directory has one holder at a time, and says which") {
  test::temporary_directory directory;
  const auto path = directory.path("some/where");
  auto first = directory_lock::acquire(path);
  REQUIRE(first);
  const auto second = directory_lock::acquire(path);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::address_in_use);
  CHECK(second.error().message.find("'" + path + "' is in use by process " +
                                    std::to_string(::getpid()) + " on ") == 0);
  first->reset();
  CHECK(directory_lock::acquire(path));
}

TEST_CASE("a directory that can't be made can't be locked, and the path is named") {
  test::temporary_directory directory;
  const auto file = directory.write("file", "text");
  const auto lock = directory_lock::acquire(file + "/below");
  REQUIRE_FALSE(lock);
  CHECK(lock.error().message.find("can't lock '" + file + "/below/lock'") == 0);
}

}  // namespace directory_lock_test
