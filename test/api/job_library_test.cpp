#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "millrace/api/elf_symbol.hpp"
#include "millrace/api/job_library.hpp"
#include "support/temporary_directory.hpp"

namespace job_library_test {

using namespace millrace;

namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The C library, which is loaded from somewhere.
std::string some_library() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path != std::string::npos && line.find("libc.so") != std::string::npos)
      return line.substr(path);
  }
  return {};
}

auto find_in(const std::string& content, std::string_view symbol) {
  return find_exported_bytes(std::as_bytes(std::span(content)), symbol);
}

}  // namespace

TEST_CASE("an exported variable is found in a library without loading it") {
  const auto library = content_of(some_library());
  REQUIRE(!library.empty());
  const auto there = find_in(library, "stdout");
  REQUIRE(there);
  CHECK(there->has_value());
  const auto missing = find_in(library, "millrace_job_entry");
  REQUIRE(missing);
  CHECK(!*missing);
}

TEST_CASE("a damaged library is an error, wherever it is damaged") {
  const auto library = content_of(some_library());
  for (std::size_t size = 0; size < library.size(); size = size * 2 + 7)
    CHECK(!find_in(library.substr(0, size), "millrace_job_entry"));
  for (std::size_t at = 0; at < 64; ++at) {
    auto broken = library;
    broken[at] = static_cast<char>(~broken[at]);
    static_cast<void>(find_in(broken, "millrace_job_entry"));  // any answer, but no crash
  }
}

TEST_CASE("what is no job library is refused with the reason") {
  test::temporary_directory directory;
  const auto why = [&](const std::string& path) {
    const auto loaded = load_job_library(path);
    REQUIRE(!loaded);
    return loaded.error();
  };
  const auto text = directory.write("text.so", "this is no library\n");
  CHECK(why(text).code == errc::invalid_library);
  CHECK(why(text).message.find(text + "': it is no shared library") != std::string::npos);

  CHECK(why(directory.write("empty.so", "")).message.find("it is no shared library") !=
        std::string::npos);

  CHECK(why(directory.path("none.so")).code == errc::not_found);
  CHECK(why(some_library()).message.find("it has no Millrace entry point") != std::string::npos);
}

}  // namespace job_library_test
