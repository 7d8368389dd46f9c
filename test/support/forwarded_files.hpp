#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/file_system.hpp"

namespace millrace::test {

/// Hands everything on to another file system: for tests to override what goes otherwise.
class forwarded_files : public file_system {
 public:
  explicit forwarded_files(std::shared_ptr<file_system> files) : files_(std::move(files)) {}

  result<file_info> stat(const std::string& path) override { return files_->stat(path); }
  result<std::vector<file_info>> list(const std::string& directory) override {
    return files_->list(directory);
  }
  result<std::unique_ptr<file_reader>> open_reader(const std::string& path) override {
    return files_->open_reader(path);
  }
  result<std::unique_ptr<file_writer>> open_writer(const std::string& path,
                                                   write_mode mode) override {
    return files_->open_writer(path, mode);
  }
  status create_directories(const std::string& path) override {
    return files_->create_directories(path);
  }
  status rename(const std::string& from, const std::string& to) override {
    return files_->rename(from, to);
  }
  status link(const std::string& from, const std::string& to) override {
    return files_->link(from, to);
  }
  status remove(const std::string& path) override { return files_->remove(path); }
  status sync_directory(const std::string& path) override { return files_->sync_directory(path); }

 private:
  std::shared_ptr<file_system> files_;
};

}  // namespace millrace::test
