#include "support/memory_files.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace millrace::test {

namespace {

tl::unexpected<error> missing(const std::string& path) {
  return fail(errc::not_found, "can't open '" + path + "': No such file or directory");
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

class memory_files::reader final : public file_reader {
 public:
  reader(content_ptr content, std::shared_ptr<std::size_t> reads)
      : content_(std::move(content)), reads_(std::move(reads)) {}
  result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    ++*reads_;
    if (offset >= size()) return std::size_t{0};
    const auto count = std::min<std::size_t>(into.size(), size() - offset);
    std::memcpy(into.data(), content_->bytes.data() + offset, count);
    return count;
  }
  std::uint64_t size() const noexcept override { return content_->bytes.size(); }

 private:
  content_ptr content_;
  std::shared_ptr<std::size_t> reads_;
};

class memory_files::writer final : public file_writer {
 public:
  writer(std::string path, content_ptr content, std::shared_ptr<bool> is_full)
      : path_(std::move(path)), content_(std::move(content)), is_full_(std::move(is_full)) {}
  status append(std::span<const std::byte> bytes) override {
    if (*is_full_) return fail(errc::io, "can't write to '" + path_ + "': No space left on device");
    content_->bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  status sync() override {
    content_->synced = content_->bytes.size();
    return {};
  }
  status close() override { return {}; }

 private:
  std::string path_;
  content_ptr content_;
  std::shared_ptr<bool> is_full_;
};

void memory_files::put(const std::string& path, std::string content) {
  for (auto at = parent_of(path); directories_.insert(at).second;) at = parent_of(at);
  const auto size = content.size();
  files_[path] = std::make_shared<file_content>(file_content{std::move(content), size});
}

std::string memory_files::content(const std::string& path) const {
  const auto file = files_.find(path);
  if (file == files_.end()) throw std::runtime_error("no file " + path);
  return file->second->bytes;
}

void memory_files::lose_power() {
  for (auto& [path, content] : files_) content->bytes.resize(content->synced);
}

void memory_files::lose_unsynced_directories() {
  const auto is_lost = [&](const std::string& path) {
    return std::any_of(unsynced_.begin(), unsynced_.end(), [&](const auto& directory) {
      return path == directory || path.starts_with(directory + "/");
    });
  };
  std::erase_if(files_, [&](const auto& file) { return is_lost(file.first); });
  std::erase_if(directories_, is_lost);
  unsynced_.clear();
}

std::vector<std::string> memory_files::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, content] : files_) all.push_back(path);
  return all;
}

result<file_info> memory_files::stat(const std::string& path) {
  if (directories_.contains(path)) return file_info{path, 0, true, 0};
  const auto file = files_.find(path);
  if (file == files_.end()) return missing(path);
  return file_info{path, file->second->bytes.size(), false, 0};
}

result<std::vector<file_info>> memory_files::list(const std::string& directory) {
  if (!directories_.contains(directory)) return missing(directory);
  std::vector<file_info> found;
  for (const auto& [path, content] : files_)
    if (parent_of(path) == directory) found.push_back({path, content->bytes.size(), false, 0});
  for (const auto& path : directories_)
    if (path != directory && parent_of(path) == directory) found.push_back({path, 0, true, 0});
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

result<std::unique_ptr<file_reader>> memory_files::open_reader(const std::string& path) {
  const auto file = files_.find(path);
  if (file == files_.end()) return missing(path);
  return std::make_unique<reader>(file->second, reads_);
}

result<std::unique_ptr<file_writer>> memory_files::open_writer(const std::string& path,
                                                               write_mode mode) {
  if (!directories_.contains(parent_of(path))) return missing(path);
  if (forbidden_.contains(parent_of(path)))
    return fail(errc::permission_denied, "can't write to '" + path + "': Permission denied");
  auto& content = files_[path];
  if (content && mode == write_mode::create)
    return fail(errc::io, "can't open '" + path + "': File exists");
  if (!content || mode == write_mode::truncate) content = std::make_shared<file_content>();
  return std::make_unique<writer>(path, content, is_full_);
}

status memory_files::create_directories(const std::string& path) {
  for (auto at = path; directories_.insert(at).second; at = parent_of(at)) unsynced_.insert(at);
  return {};
}

status memory_files::rename(const std::string& from, const std::string& to) {
  const auto file = files_.find(from);
  if (file == files_.end()) return missing(from);
  if (failing_renames_ != 0) {
    --failing_renames_;
    return fail(errc::io, "can't rename '" + from + "' to '" + to + "': Input/output error");
  }
  files_[to] = file->second;
  files_.erase(file);
  return {};
}

status memory_files::remove(const std::string& path) {
  if (files_.erase(path) + directories_.erase(path) == 0) return missing(path);
  unsynced_.erase(path);
  return {};
}

status memory_files::sync_directory(const std::string& path) {
  std::erase_if(unsynced_, [&](const auto& directory) { return parent_of(directory) == path; });
  return {};
}

}  // namespace millrace::test
