#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "millrace/core/file_system.hpp"

namespace millrace::test {

/// A file system in memory. Not thread-safe. Content is visible at once, however it is written, but
/// only what was synced survives lose_power().
class memory_files final : public file_system {
 public:
  /// Makes a file, with its directories.
  void put(const std::string& path, std::string content);
  /// The content; fails the test if there is no such file.
  std::string content(const std::string& path) const;
  bool has(const std::string& path) const { return files_.contains(path); }
  /// Paths of all files, sorted.
  std::vector<std::string> paths() const;
  /// From now on every append fails with "No space left on device".
  void fill_disk() { *is_full_ = true; }
  /// Files can no longer be made or written below this directory: "Permission denied".
  void forbid(const std::string& directory) { forbidden_.insert(directory); }
  /// The next renames fail with "Input/output error".
  void fail_renames(std::size_t count) { failing_renames_ = count; }
  /// Cuts every file to what was synced.
  void lose_power();
  /// As a power cut may, too: takes directories away, with all that is in them, that were made and
  /// not synced in the one above.
  void lose_unsynced_directories();
  std::size_t reads() const { return *reads_; }

  result<file_info> stat(const std::string& path) override;
  result<std::vector<file_info>> list(const std::string& directory) override;
  result<std::unique_ptr<file_reader>> open_reader(const std::string& path) override;
  result<std::unique_ptr<file_writer>> open_writer(const std::string& path,
                                                   write_mode mode) override;
  status create_directories(const std::string& path) override;
  status rename(const std::string& from, const std::string& to) override;
  status remove(const std::string& path) override;
  status sync_directory(const std::string& path) override;

 private:
  struct file_content {
    std::string bytes;
    std::size_t synced = 0;
  };
  using content_ptr = std::shared_ptr<file_content>;
  class reader;
  class writer;

  std::map<std::string, content_ptr> files_;
  std::set<std::string> directories_{"/", "."};
  std::set<std::string> unsynced_;  // of them
  std::set<std::string> forbidden_;
  std::size_t failing_renames_ = 0;
  std::shared_ptr<bool> is_full_ = std::make_shared<bool>(false);
  std::shared_ptr<std::size_t> reads_ = std::make_shared<std::size_t>(0);
};

}  // namespace millrace::test
