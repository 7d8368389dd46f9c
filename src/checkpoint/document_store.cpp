#include "millrace/checkpoint/document_store.hpp"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/graph/json_cursor.hpp"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view document_format = "millrace document";
constexpr std::uint32_t document_version = 1;
/// Of a document that is being written.
constexpr std::string_view part_suffix = ".part";
/// Beyond this it is no document of ours.
constexpr std::uint64_t document_bytes_max = std::uint64_t{256} << 20;

std::string checksum_text(const std::string& content) {
  std::string text = format_hex_id(0, XXH3_64bits(content.data(), content.size()));
  return text.substr(16);
}

std::string sealed(const std::string& content) {
  std::string text;
  text.reserve(content.size() + 128);
  text.append(R"({"format":")").append(document_format);
  text.append(R"(","version":)").append(std::to_string(document_version));
  text.append(R"(,"checksum":")").append(checksum_text(content));
  text.append(R"(","content":)").append(content).append("}\n");
  return text;
}

result<std::string> unsealed(const std::string& text, const std::string& path) {
  const auto bad = [&](const std::string& why) {
    return fail(errc::invalid_data, "'" + path + "' is no intact document: " + why);
  };
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded()) return bad("it is no JSON document");
  graph::json_problem problem;
  const graph::json_cursor at(root, problem);
  at.expect_fields({"format", "version", "checksum", "content"});
  if (at.field("format").text() != document_format) at.field("format").complain("is another one");
  const auto version = at.field("version").number();
  if (!problem && version != document_version)
    return bad("it has format version " + std::to_string(version) + ", and only " +
               std::to_string(document_version) + " is known here");
  const auto checksum = at.field("checksum").text();
  if (problem) return bad(*problem);
  auto content = root["content"].dump(-1, ' ', false, json::error_handler_t::replace);
  if (checksum_text(content) != checksum) return bad("its checksum is not that of its content");
  return content;
}

}  // namespace

// -- in memory ------------------------------------------------------------------------------------

status memory_document_store::put(const std::string& name, const std::string& text) {
  std::lock_guard guard(mutex_);
  documents_[name] = text;
  return {};
}

result<std::string> memory_document_store::get(const std::string& name) {
  std::lock_guard guard(mutex_);
  const auto found = documents_.find(name);
  if (found == documents_.end())
    return fail(errc::not_found, "there is no document '" + name + "'");
  return found->second;
}

result<std::vector<std::string>> memory_document_store::list(const std::string& folder) {
  std::lock_guard guard(mutex_);
  std::vector<std::string> names;
  const auto prefix = folder + "/";
  for (auto it = documents_.lower_bound(prefix);
       it != documents_.end() && it->first.starts_with(prefix); ++it)
    names.push_back(it->first.substr(prefix.size()));
  return names;
}

status memory_document_store::remove(const std::string& name) {
  std::lock_guard guard(mutex_);
  documents_.erase(name);
  return {};
}

// -- in files -------------------------------------------------------------------------------------

directory_document_store::directory_document_store(std::shared_ptr<file_system> files,
                                                   std::string directory)
    : files_(std::move(files)), directory_(std::move(directory)) {}

status directory_document_store::put(const std::string& name, const std::string& text) {
  const auto path = directory_ + "/" + name;
  const auto part = path + std::string(part_suffix);
  const auto folder = parent_of(path);
  if (!files_->stat(folder)) {
    auto made = files_->create_directories(folder)
                    .and_then([&] { return files_->sync_directory(directory_); })
                    .and_then([&] { return files_->sync_directory(parent_of(directory_)); });
    if (!made) return made;
  }
  auto file = files_->open_writer(part, write_mode::truncate);
  if (!file) return tl::unexpected(file.error());
  const auto whole = sealed(text);
  return (*file)
      ->append(std::as_bytes(std::span(whole)))
      .map([] { pass(kill_point::document_written); })
      .and_then([&] { return (*file)->sync(); })
      .and_then([&] { return (*file)->close(); })
      .and_then([&] { return files_->rename(part, path); })
      .map([] { pass(kill_point::document_renamed); })
      .and_then([&] { return files_->sync_directory(folder); });
}

result<std::string> directory_document_store::get(const std::string& name) {
  const auto path = directory_ + "/" + name;
  auto text = read_file(*files_, path, document_bytes_max);
  if (!text) return text;
  return unsealed(*text, path);
}

result<std::vector<std::string>> directory_document_store::list(const std::string& folder) {
  std::vector<std::string> names;
  auto entries = files_->list(directory_ + "/" + folder);
  if (!entries) {
    if (entries.error().code == errc::not_found) return names;
    return tl::unexpected(entries.error());
  }
  for (const auto& entry : *entries)
    if (!entry.is_directory && !entry.path.ends_with(part_suffix))
      names.push_back(last_part_of(entry.path));
  return names;
}

status directory_document_store::remove(const std::string& name) {
  const auto path = directory_ + "/" + name;
  auto removed = files_->remove(path);
  if (!removed) return removed.error().code == errc::not_found ? status() : removed;
  return files_->sync_directory(parent_of(path));
}

}  // namespace millrace
