#include "millrace/core/file_system.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "support/temporary_directory.hpp"

namespace file_system_test {

using namespace millrace;
using millrace::test::temporary_directory;

namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::vector<std::string> paths(const result<std::vector<file_info>>& found) {
  REQUIRE(found.has_value());
  std::vector<std::string> out;
  for (const file_info& info : *found) out.push_back(info.path);
  return out;
}

}  // namespace

TEST_CASE("a file that was written reads back, at any offset") {
  temporary_directory directory;
  local_file_system files;
  const std::string path = directory.path("a");
  auto writer = files.open_writer(path, write_mode::create);
  REQUIRE(writer);
  CHECK((*writer)->append(bytes("hello ")));
  CHECK((*writer)->append(bytes("world")));
  CHECK((*writer)->sync());
  CHECK((*writer)->close());

  auto reader = files.open_reader(path);
  REQUIRE(reader);
  CHECK((*reader)->size() == 11);
  std::string text(20, '.');
  CHECK((*reader)->read_at(6, std::as_writable_bytes(std::span(text))).value() == 5);
  CHECK(text.substr(0, 5) == "world");
  CHECK((*reader)->read_at(11, std::as_writable_bytes(std::span(text))).value() == 0);
  CHECK(read_file(files, path, 100).value() == "hello world");
}

TEST_CASE("write modes create, truncate and append") {
  temporary_directory directory;
  local_file_system files;
  const std::string path = directory.write("a", "old");
  const auto write = [&](write_mode mode) {
    auto writer = files.open_writer(path, mode);
    return writer ? (*writer)->append(bytes("new")) : status(tl::unexpected(writer.error()));
  };
  CHECK(write(write_mode::create).error().message == "can't write to '" + path + "': File exists");
  CHECK(write(write_mode::append));
  CHECK(directory.read("a") == "oldnew");
  CHECK(write(write_mode::truncate));
  CHECK(directory.read("a") == "new");
}

TEST_CASE("a missing file is named with the reason") {
  temporary_directory directory;
  local_file_system files;
  const std::string path = directory.path("none");
  const auto reader = files.open_reader(path);
  REQUIRE_FALSE(reader);
  CHECK(reader.error() ==
        error{errc::not_found, "can't open '" + path + "': No such file or directory"});
  CHECK(files.stat(path).error().code == errc::not_found);
  CHECK(files.list(path).error().message ==
        "can't list directory '" + path + "': No such file or directory");
  CHECK(files.remove(path).error().message ==
        "can't remove '" + path + "': No such file or directory");
  CHECK(files.rename(path, path + "2").error().message ==
        "can't rename '" + path + "' to '" + path + "2': No such file or directory");
}

TEST_CASE("a directory is no file and a file no directory") {
  temporary_directory directory;
  local_file_system files;
  const std::string path = directory.write("a", "text");
  CHECK(files.open_reader(directory.path()).error() ==
        error{errc::io, "can't open '" + directory.path() + "': Is a directory"});
  CHECK(files.list(path).error().message == "can't list directory '" + path + "': Not a directory");
  CHECK_FALSE(files.create_directories(path + "/b"));
  CHECK(files.create_directories(path).error().message ==
        "can't create directory '" + path + "': File exists");
}

TEST_CASE("a file without permission is refused") {
  if (::geteuid() == 0) return;  // root may read everything
  temporary_directory directory;
  local_file_system files;
  const std::string path = directory.write("a", "text");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  CHECK(files.open_reader(path).error() ==
        error{errc::permission_denied, "can't open '" + path + "': Permission denied"});
}

TEST_CASE("directories are made with their parents and listed in order") {
  temporary_directory directory;
  local_file_system files;
  CHECK(files.create_directories(directory.path("x/y/z")));
  CHECK(files.create_directories(directory.path("x/y/z/")));
  CHECK(files.stat(directory.path("x/y/z")).value().is_directory);
  directory.write("x/b", "1");
  directory.write("x/a", "22");
  const auto listing = files.list(directory.path("x"));
  CHECK(paths(listing) == std::vector<std::string>{directory.path("x/a"), directory.path("x/b"),
                                                   directory.path("x/y")});
  CHECK((*listing)[0].size == 2);
  CHECK_FALSE((*listing)[0].is_directory);
  CHECK((*listing)[0].modified_ms > 1'600'000'000'000);
  CHECK((*listing)[2].is_directory);
}

TEST_CASE("rename replaces and remove removes") {
  temporary_directory directory;
  local_file_system files;
  directory.write("a", "new");
  directory.write("b", "old");
  CHECK(files.rename(directory.path("a"), directory.path("b")));
  CHECK(files.sync_directory(directory.path()));
  CHECK(directory.read("b") == "new");
  CHECK(files.remove(directory.path("b")));
  CHECK(paths(files.list(directory.path())).empty());
}

TEST_CASE("glob matches within components, in order") {
  temporary_directory directory;
  local_file_system files;
  for (const char* name : {"one/a.txt", "one/b.txt", "one/c.csv", "two/a.txt", ".hidden/a.txt"})
    directory.write(name, "");
  const auto matches = [&](const std::string& pattern) {
    return paths(glob(files, directory.path(pattern)));
  };
  CHECK(matches("one/*.txt") ==
        std::vector<std::string>{directory.path("one/a.txt"), directory.path("one/b.txt")});
  CHECK(matches("*/a.txt") ==
        std::vector<std::string>{directory.path("one/a.txt"), directory.path("two/a.txt")});
  CHECK(matches("one/[bc].*") ==
        std::vector<std::string>{directory.path("one/b.txt"), directory.path("one/c.csv")});
  CHECK(matches("one/?.csv") == std::vector<std::string>{directory.path("one/c.csv")});
  CHECK(matches("none/*").empty());
  CHECK(matches("one/a.txt/*").empty());
  CHECK(is_glob("a*b"));
  CHECK_FALSE(is_glob("/a/b"));
}

TEST_CASE("a file larger than allowed is not read") {
  temporary_directory directory;
  local_file_system files;
  const std::string path = directory.write("a", "12345");
  CHECK(read_file(files, path, 4).error().message ==
        "can't read '" + path + "': it has 5 bytes, more than the 4 allowed");
}

}  // namespace file_system_test
