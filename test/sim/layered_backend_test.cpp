#include "sim/layered_backend.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layered_backend_test {

using namespace millrace;
using namespace millrace::sim;

namespace {

byte_view bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

void put(byte_store& store, std::string_view key, std::string_view value) {
  auto& table = store.table("table", std::nullopt);
  const auto batch = table.new_batch();
  batch->put(bytes_of(key), bytes_of(value));
  table.write(*batch);
}

void erase(byte_store& store, std::string_view key) {
  auto& table = store.table("table", std::nullopt);
  const auto batch = table.new_batch();
  batch->erase(bytes_of(key));
  table.write(*batch);
}

/// "key=value" of all rows.
std::vector<std::string> rows_of(byte_store& store) {
  const auto text_of = [](byte_view bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  std::vector<std::string> rows;
  for (const auto at = store.table("table", std::nullopt).scan({}); at->is_valid(); at->next())
    rows.push_back(text_of(at->key()) + "=" + text_of(at->value()));
  return rows;
}

std::vector<std::string> shareable_of(const database_image& image) {
  std::vector<std::string> names;
  for (const auto& file : image.files())
    if (is_shareable(file.name)) names.push_back(file.name);
  return names;
}

}  // namespace

TEST_CASE("an image has the files of the one before, and one with what has changed") {
  layered_backend backend;
  const auto store = backend.open_store({}).value();
  put(*store, "a", "1");
  put(*store, "b", "1");
  const auto first = store->freeze();
  CHECK(shareable_of(*first) == std::vector<std::string>{"000001.sst"});
  CHECK(shareable_of(*store->freeze()) == shareable_of(*first));
  put(*store, "b", "2");
  erase(*store, "a");
  const auto second = store->freeze();
  CHECK(shareable_of(*second) == std::vector<std::string>{"000001.sst", "000002.sst"});

  CHECK(rows_of(*backend.open_image({}, first).value()) == std::vector<std::string>{"a=1", "b=1"});
  const auto again = backend.open_image({}, second).value();
  CHECK(rows_of(*again) == std::vector<std::string>{"b=2"});
  put(*again, "c", "3");
  const auto third = again->freeze();
  CHECK(shareable_of(*third) == std::vector<std::string>{"000001.sst", "000002.sst", "000003.sst"});
}

TEST_CASE("files are merged now and then, and no name comes twice") {
  layered_backend backend;
  const auto store = backend.open_store({}).value();
  std::vector<std::string> names;
  std::size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    put(*store, std::to_string(i % 7), std::to_string(i));
    const auto image = store->freeze();
    const auto files = shareable_of(*image);
    most = std::max(most, files.size());
    CHECK(std::find(names.begin(), names.end(), files.back()) == names.end());
    names.insert(names.end(), files.begin(), files.end());
    CHECK(rows_of(*backend.open_image({}, image).value()) == rows_of(*store));
  }
  CHECK(most == 4);
}

}  // namespace layered_backend_test
