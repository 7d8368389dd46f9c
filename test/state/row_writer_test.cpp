#include "millrace/state/row_writer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/memory_byte_store.hpp"

namespace row_writer_test {

using namespace millrace;

TEST_CASE(
    "rows are written in the order of their keys, those of one key in the order of the calls") {
  std::vector<std::vector<std::byte>> written;
  test::memory_byte_table below;
  below.on_write = [&written](byte_view key) { written.emplace_back(key.begin(), key.end()); };
  row_writer out(below);
  const auto key_of = [](const std::string& text) {
    return byte_view(reinterpret_cast<const std::byte*>(text.data()), text.size());
  };
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back("a common beginning " + std::to_string(i * 7919));
  keys.insert(keys.end(), {"", "a", "b", std::string("b\0", 2)});
  for (const auto& key : keys) out.put(key_of(key), std::int64_t{1});
  out.erase(key_of("a"));
  out.put(key_of("b"), std::int64_t{2});
  out.write();
  CHECK(written.size() == keys.size() + 2);
  CHECK(std::is_sorted(written.begin(), written.end()));
  CHECK(below.rows.size() == keys.size() - 1);
  std::vector<std::byte> value;
  REQUIRE(below.get(key_of("b"), value));
  CHECK(value[0] == std::byte{2});
  out.write();
  CHECK(written.size() == keys.size() + 2);
}

}  // namespace row_writer_test
