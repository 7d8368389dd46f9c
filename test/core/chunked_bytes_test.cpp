#include <doctest/doctest.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/chunked_bytes.hpp"

namespace chunked_bytes_test {

using namespace millrace;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto all = std::as_bytes(std::span(text));
  return {all.begin(), all.end()};
}

std::string text_of(const shared_bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.part.data()), bytes.part.size()};
}

}  // namespace

TEST_CASE("bytes in pieces are the bytes of all pieces") {
  chunked_bytes all;
  CHECK(all.empty());
  CHECK(text_of(all.whole()).empty());
  for (const auto* piece : {"state", "", " of ", "a key group"})
    all.append(shared_bytes(bytes_of(piece)));
  CHECK(all.size() == 20);
  CHECK(all.pieces().size() == 3);
  CHECK(text_of(all.whole()) == "state of a key group");
  CHECK(all == chunked_bytes(bytes_of("state of a key group")));
  CHECK_FALSE(all == chunked_bytes(bytes_of("state of a key grout")));
  CHECK_FALSE(all == chunked_bytes());
  auto twice = all;
  twice.append(chunked_bytes(all));
  CHECK(twice.size() == 40);
  CHECK(text_of(twice.whole()) == "state of a key groupstate of a key group");
}

TEST_CASE("a part of bytes in pieces is copied only if it is in several") {
  chunked_bytes all(bytes_of("state"));
  all.append(shared_bytes(bytes_of(" of a key")));
  const std::string text = "state of a key";
  for (std::size_t offset = 0; offset <= text.size(); ++offset)
    for (std::size_t length = 0; length <= text.size() + 1; ++length)
      CHECK(text_of(all.part(offset, length)) == text.substr(offset, length));
  CHECK(all.part(1, 4).owner == all.pieces()[0].owner);
  CHECK(all.part(5, 9).owner == all.pieces()[1].owner);
  CHECK(all.part(100, 1).part.empty());
}

}  // namespace chunked_bytes_test
