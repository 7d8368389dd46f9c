#pragma once

#include <string>

#include "millrace/core/error.hpp"

namespace millrace::node {

/// A file that holds this process's id for as long as the object lives.
class pid_file {
 public:
  /// Makes none if `path` is empty. Replaces what is there.
  static result<pid_file> write(std::string path);

  ~pid_file();
  pid_file(pid_file&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  pid_file& operator=(pid_file&&) = delete;

 private:
  explicit pid_file(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace millrace::node
