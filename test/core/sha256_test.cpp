#include "millrace/core/sha256.hpp"

#include <doctest/doctest.h>

namespace sha256_test {

using namespace millrace;

TEST_CASE("digests are those of FIPS 180-4") {
  sha256 hasher;
  CHECK(to_string(hasher.finish()) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  hasher.update(std::string_view("a"));
  hasher.update(std::string_view("bc"));
  const sha256_digest digest = hasher.finish();
  CHECK(to_string(digest) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_of(std::as_bytes(std::span("abc", 3))) == digest);
  CHECK(parse_sha256(to_string(digest)) == digest);
  CHECK_FALSE(parse_sha256("ba78").has_value());
  CHECK_FALSE(parse_sha256(std::string(64, 'g')).has_value());
}

}  // namespace sha256_test
