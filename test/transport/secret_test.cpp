#include "millrace/transport/secret.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

namespace secret_test {

using namespace millrace;
using namespace millrace::transport;

namespace {

struct scratch_folder {
  std::filesystem::path path;
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-secret-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~scratch_folder() { std::filesystem::remove_all(path); }
};

void write_file(const std::filesystem::path& file, std::string_view text, int mode) {
  std::ofstream{file} << text;
  ::chmod(file.c_str(), static_cast<mode_t>(mode));
}

}  // namespace

TEST_CASE("a missing secret is generated once, readable by its owner alone") {
  scratch_folder folder;
  const auto file = folder.path / "cluster.secret";
  const auto first = ensure_secret(file);
  REQUIRE(first);
  CHECK(first->bytes().size() == 64);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(ensure_secret(file)->bytes() == first->bytes());
  CHECK(load_secret(file)->bytes() == first->bytes());
  CHECK(std::distance(std::filesystem::directory_iterator{folder.path}, {}) == 1);
}

TEST_CASE("processes that start at once get the same secret") {
  scratch_folder folder;
  const auto file = folder.path / "cluster.secret";
  std::vector<std::string> seen(8);
  std::vector<std::thread> threads;
  for (auto& s : seen)
    threads.emplace_back([&s, &file] { s = std::string{ensure_secret(file)->bytes()}; });
  for (auto& t : threads) t.join();
  for (const auto& s : seen) CHECK(s == seen.front());
}

TEST_CASE("a secret that others may read or write is refused with the cure") {
  scratch_folder folder;
  const auto file = folder.path / "cluster.secret";
  for (int mode : {0640, 0604, 0660, 0602}) {
    write_file(file, "a secret of enough characters\n", mode);
    const auto loaded = load_secret(file);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == errc::permission_denied);
    CHECK(loaded.error().message.find("chmod 600 " + file.string()) != std::string::npos);
  }
  write_file(file, "  a secret of enough characters\n", 0400);
  CHECK(load_secret(file)->bytes() == "a secret of enough characters");
}

TEST_CASE("a missing, short or strange secret file says what is wrong") {
  scratch_folder folder;
  const auto file = folder.path / "cluster.secret";
  CHECK(load_secret(file).error().code == errc::not_found);
  CHECK(ensure_secret(folder.path / "no" / "such").error().code == errc::not_found);
  write_file(file, "short\n", 0600);
  CHECK(load_secret(file).error().code == errc::invalid_config);
  CHECK(load_secret(file).error().message.find(file.string()) != std::string::npos);
  CHECK(load_secret(folder.path).error().code == errc::permission_denied);
}

}  // namespace secret_test
