#include "millrace/core/memory_size.hpp"

#include <doctest/doctest.h>

#include "support/codec_samples.hpp"

namespace memory_size_test {

using namespace millrace;
using namespace millrace::test;

static_assert(!has_heap_v<std::int64_t> && !has_heap_v<point> && !has_heap_v<job_id>);
static_assert(!has_heap_v<std::optional<std::array<padded, 3>>>);
static_assert(has_heap_v<std::string> && has_heap_v<tree> && has_heap_v<everything>);
static_assert(has_heap_v<std::variant<int, std::string>>);
static_assert(heap_bytes(point{1, 2}) == 0);

TEST_CASE("short strings live in their object") {
  CHECK(heap_bytes(std::string("fifteen letters")) == 0);
  CHECK(heap_bytes(std::string(100, 'x')) >= 101);
}

TEST_CASE("containers count their elements and what those hold") {
  CHECK(heap_bytes(std::vector<int>(10)) == 40);
  const std::string text(100, 'x');
  const std::size_t of_text = heap_bytes(text);
  CHECK(heap_bytes(std::vector<std::string>(3, text)) == 3 * (sizeof(text) + of_text));
  CHECK(heap_bytes(std::optional<std::string>(text)) == of_text);
  CHECK(heap_bytes(std::optional<std::string>()) == 0);
  CHECK(heap_bytes(std::variant<int, std::string>(text)) == of_text);
  CHECK(heap_bytes(std::pair<int, std::string>(1, text)) == of_text);
  CHECK(heap_bytes(std::array<std::string, 2>{text, ""}) == of_text);
  CHECK(heap_bytes(std::map<int, std::string>{{1, text}}) ==
        sizeof(std::pair<const int, std::string>) + 32 + of_text);
  CHECK(heap_bytes(std::unordered_map<std::string, int>{{text, 1}}) >= sizeof(text) + of_text);
}

TEST_CASE("types that contain themselves are counted to the leaves") {
  CHECK(heap_bytes(sample_tree(0)) == 0);
  CHECK(heap_bytes(sample_tree(2)) == 4 * sizeof(tree));
}

}  // namespace memory_size_test
