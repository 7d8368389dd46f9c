#pragma once

#include <memory>
#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

/// A directory for what a process keeps on disk only while it runs. Gone with this object; what a
/// process that was killed has left is removed by the next that makes one in the same place. To
/// tell them apart each holds a lock (flock) on a file "<its name>.lock" beside it, so the place
/// must be of this machine.
class scratch_directory {
 public:
  /// Makes "<parent>/<prefix><process id>-<token>", for its owner only, with its parents, after
  /// those that nobody holds any more were removed. Errors name the path.
  static result<std::unique_ptr<scratch_directory>> make(const std::string& parent,
                                                         const std::string& prefix,
                                                         const std::string& token);

  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  scratch_directory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;  // an open file
};

}  // namespace millrace
