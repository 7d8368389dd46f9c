#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/state/database_image.hpp"
#include "millrace/state/database_key_groups.hpp"
#include "millrace/state/keyed_state_backend_base.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"

namespace millrace::test {

/// What a native snapshot of keyed state consists of.
struct native_snapshot {
  std::vector<encoded_key_group> beside;
  std::shared_ptr<database_image> image;
};

inline native_snapshot native_snapshot_of(keyed_state_backend_base& state) {
  const auto snapshot = state.begin_snapshot(snapshot_form::native);
  auto budget = snapshot_budget::unlimited();
  while (!snapshot->write(budget)) {
  }
  auto image = snapshot->image();
  return {snapshot->take(), std::move(image)};
}

/// An image as one that lies somewhere else.
class distant_image final : public database_files {
 public:
  explicit distant_image(std::shared_ptr<const database_image> image) : image_(std::move(image)) {}

  const std::vector<database_file>& files() const noexcept override { return image_->files(); }
  const std::vector<state_info>& tables() const noexcept override { return image_->tables; }
  result<std::unique_ptr<file_reader>> open(const std::string& name) const override {
    return local_file_system().open_reader(image_->directory() + "/" + name);
  }
  status copy(const std::string& name, const std::string& path) const override {
    std::filesystem::copy_file(image_->directory() + "/" + name, path);
    return {};
  }

 private:
  std::shared_ptr<const database_image> image_;
};

/// The canonical form of it, by key group.
inline std::vector<encoded_key_group> canonical_of(const native_snapshot& snapshot) {
  auto store = open_database_files(std::make_shared<distant_image>(snapshot.image));
  REQUIRE_MESSAGE(store, (store ? std::string() : store.error().message));
  auto database = database_key_groups::of(std::move(*store), snapshot.image->tables);
  REQUIRE(database);
  std::vector<encoded_key_group> all;
  for (const auto& [group, beside] : snapshot.beside) {
    auto bytes = database->read(group, beside.whole().part);
    REQUIRE_MESSAGE(bytes, (bytes ? std::string() : bytes.error().message));
    all.push_back({group, std::move(*bytes)});
  }
  return all;
}

}  // namespace millrace::test
