#include "sim/layered_backend.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "millrace/core/codec.hpp"
#include "support/memory_byte_store.hpp"

namespace millrace::sim {

namespace {

using row_bytes = std::vector<std::byte>;

/// So little that some of what changes is in the cache, and some is not.
constexpr std::size_t cache_bytes = 2048;
/// With so many files they are merged.
constexpr std::size_t layers_max = 4;
/// Beside the layers, as a manifest: not shareable, since each image has another one.
constexpr std::string_view list_name = "CURRENT";
constexpr std::uint64_t file_bytes_max = 1 << 24;

/// What has become of a row. Files have them in the order of tables and keys.
struct row_change {
  std::string table;
  row_bytes key;
  std::optional<row_bytes> value;  // nothing: it is gone
};

struct layer_list {
  std::uint64_t next = 1;  // number of the next layer: no name is used twice
  std::vector<std::string> layers;
};

status write_local(const std::string& path, byte_view content) {
  const auto file = local_file_system().open_writer(path, write_mode::create);
  if (!file) return tl::unexpected(file.error());
  return (*file)->append(content).and_then([&] { return (*file)->close(); });
}

template <class T>
result<T> read_local(const std::string& path) {
  local_file_system local;
  return read_file(local, path, file_bytes_max).and_then([](const std::string& text) {
    return decode_bytes<T>(std::as_bytes(std::span(text)));
  });
}

}  // namespace

class layered_backend::store final : public byte_store {
 public:
  store(std::shared_ptr<place> where, std::uint64_t number)
      : place_(std::move(where)), number_(number) {}

  byte_table& table(const std::string& name, std::optional<std::int64_t>) override {
    auto& found = tables_[name];
    if (!found.on_write)
      found.on_write = [this, name](byte_view key) {
        changed_[name].insert(row_bytes(key.begin(), key.end()));
      };
    return found;
  }
  std::size_t object_cache_bytes() const noexcept override { return cache_bytes; }

  std::shared_ptr<database_image> freeze() override {
    if (list_.layers.size() >= layers_max) forget_layers();
    if (auto changes = take_changes(); !changes.empty()) {
      auto number = std::to_string(list_.next++);
      number.insert(0, 6 - std::min<std::size_t>(number.size(), 6), '0');
      list_.layers.push_back(number + ".sst");
      content_[list_.layers.back()] = encode_to_bytes(changes);
    }
    auto files = content_;
    files[std::string(list_name)] = encode_to_bytes(list_);
    const auto path = place_->next_image();
    std::vector<database_file> names;
    for (const auto& [name, content] : files) names.push_back({name, content.size()});
    auto image = std::make_shared<database_image>(path, std::move(names));
    for (const auto& [name, content] : files)
      if (auto done = write_local(path + "/" + name, content); !done) throw failure(done.error());
    image->database = number_;
    return image;
  }

  /// Goes on with the files of an image.
  status load(const database_image& image) {
    auto list = read_local<layer_list>(image.directory() + "/" + std::string(list_name));
    if (!list) return tl::unexpected(list.error());
    list_ = *std::move(list);
    for (const auto& name : list_.layers) {
      auto changes = read_local<std::vector<row_change>>(image.directory() + "/" + name);
      if (!changes) return tl::unexpected(changes.error());
      for (const auto& each : *changes) {
        auto& rows = tables_[each.table].rows;
        if (each.value)
          rows[each.key] = *each.value;
        else
          rows.erase(each.key);
      }
      content_[name] = encode_to_bytes(*changes);
    }
    return {};
  }

 private:
  /// The next layer has all that there is.
  void forget_layers() {
    list_.layers.clear();
    content_.clear();
    for (const auto& [name, its] : tables_)
      for (const auto& [key, value] : its.rows) changed_[name].insert(key);
  }
  std::vector<row_change> take_changes() {
    std::vector<row_change> all;
    const bool is_first = list_.layers.empty();
    for (const auto& [name, keys] : std::exchange(changed_, {}))
      for (const auto& key : keys) {
        const auto& rows = tables_.at(name).rows;
        const auto found = rows.find(key);
        if (found != rows.end())
          all.push_back({name, key, found->second});
        else if (!is_first)
          all.push_back({name, key, std::nullopt});
      }
    return all;
  }

  std::shared_ptr<place> place_;
  std::uint64_t number_;  // among databases
  std::map<std::string, test::memory_byte_table> tables_;
  std::map<std::string, std::set<row_bytes>> changed_;  // by table, since the last image
  layer_list list_;
  std::map<std::string, row_bytes> content_;  // of the layers, by name
};

std::string layered_backend::place::next_image() {
  const auto path = directory.path("image-" + std::to_string(images_made++));
  std::filesystem::create_directory(path);
  return path;
}

result<std::unique_ptr<byte_store>> layered_backend::open_store(const keyed_state_environment&) {
  return std::make_unique<store>(place_, place_->databases_made++);
}

result<std::shared_ptr<database_image>> layered_backend::bring(const database_files& from) {
  // What was copied so far goes with it, whatever happens.
  auto image = std::make_shared<database_image>(place_->next_image(), from.files());
  image->tables = from.tables();
  image->database = place_->databases_made++;
  for (const auto& file : from.files())
    if (auto copied = from.copy(file.name, image->directory() + "/" + file.name); !copied)
      return tl::unexpected(copied.error());
  return image;
}

result<std::unique_ptr<byte_store>> layered_backend::open_image(
    const keyed_state_environment&, std::shared_ptr<database_image> image) {
  auto made = std::make_unique<store>(place_, image->database);
  if (auto loaded = made->load(*image); !loaded) return tl::unexpected(loaded.error());
  return made;
}

}  // namespace millrace::sim
