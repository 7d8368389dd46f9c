#include "millrace/core/inherited_directory.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>

#include "support/temporary_directory.hpp"

namespace inherited_directory_test {

using namespace millrace;
namespace fs = std::filesystem;

namespace {

/// As a process that was killed leaves one.
void leave(const test::temporary_directory& parent, const std::string& name) {
  parent.write(name + "/lock", "process 1 on here\n");
  parent.write(name + "/what", name);
  fs::permissions(parent.path(name), fs::perms::owner_all);
}

void set_age(const std::string& path, std::chrono::hours age) {
  const auto when = fs::file_time_type::clock::now() - age;
  for (const auto& each : fs::directory_iterator(path)) fs::last_write_time(each.path(), when);
  fs::last_write_time(path, when);
}

}  // namespace

TEST_CASE("Processes that live at once have directories of their own, gone with them") {
  const test::temporary_directory parent;
  std::string first, second;
  {
    const auto a = inherited_directory::claim(parent.path("deep/er"), "p-", "one").value();
    const auto b = inherited_directory::claim(parent.path("deep/er"), "p-", "two").value();
    first = a->path();
    second = b->path();
    CHECK(first != second);
    CHECK_FALSE(a->is_inherited());
    CHECK(fs::status(first).permissions() == fs::perms::owner_all);
  }
  CHECK_FALSE(fs::exists(first));
  CHECK_FALSE(fs::exists(second));
}

TEST_CASE("The directory of a dead process goes to the next one, the latest first") {
  const test::temporary_directory parent;
  leave(parent, "p-old");
  leave(parent, "p-new");
  leave(parent, "other");
  set_age(parent.path("p-old"), std::chrono::hours(2));
  set_age(parent.path("p-new"), std::chrono::hours(1));
  const auto a = inherited_directory::claim(parent.path(), "p-", "x").value();
  CHECK(a->path() == parent.path("p-new"));
  CHECK(a->is_inherited());
  CHECK(parent.read("p-new/what") == "p-new");
  const auto b = inherited_directory::claim(parent.path(), "p-", "y").value();
  CHECK(b->path() == parent.path("p-old"));
  const auto c = inherited_directory::claim(parent.path(), "p-", "z").value();
  CHECK(c->path() == parent.path("p-z"));
  CHECK(fs::exists(parent.path("other/what")));
}

TEST_CASE("What nobody has claimed for long is removed, and what is not ours is left alone") {
  const test::temporary_directory parent;
  leave(parent, "p-forgotten");
  leave(parent, "p-open");
  set_age(parent.path("p-forgotten"), inherited_directory::unclaimed_max + std::chrono::hours(1));
  fs::permissions(parent.path("p-open"), fs::perms::all);
  fs::create_directory_symlink(parent.path("p-open"), parent.path("p-link"));
  const auto mine = inherited_directory::claim(parent.path(), "p-", "mine").value();
  CHECK(mine->path() == parent.path("p-mine"));
  CHECK_FALSE(fs::exists(parent.path("p-forgotten")));
  CHECK(fs::exists(parent.path("p-open/what")));
  CHECK(fs::is_symlink(parent.path("p-link")));
}

TEST_CASE("A directory that can't be made is named") {
  const test::temporary_directory parent;
  parent.write("file", "");
  const auto claimed = inherited_directory::claim(parent.path("file/below"), "p-", "x");
  REQUIRE_FALSE(claimed);
  CHECK(claimed.error().message.find(parent.path("file")) != std::string::npos);
}

}  // namespace inherited_directory_test
