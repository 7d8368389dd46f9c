#include "millrace/core/edit_distance.hpp"

#include <doctest/doctest.h>

namespace edit_distance_test {

using namespace millrace;

TEST_CASE("edits are counted without regard to case") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ABC", "abc") == 0);
  CHECK(edit_distance("abcd", "acbd") == 1);
}

TEST_CASE("the nearest word is found only if it is near") {
  const std::string_view words[] = {"list", "cancel", "describe"};
  CHECK(nearest_word("lsit", words) == "list");
  CHECK(nearest_word("cancle", words) == "cancel");
  CHECK(nearest_word("frobnicate", words).empty());
}

}  // namespace edit_distance_test
