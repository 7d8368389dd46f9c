#pragma once

#include <memory>
#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

/// Keeps a directory to one process: the file `lock` in it, locked for as long as this lives. The
/// operating system lets go of it when the process ends, however it does; a stopped one keeps it.
/// The lock is one of open file descriptions (fcntl F_OFD_SETLK), which network file systems with
/// locks hand on to other machines.
class directory_lock {
 public:
  /// Makes the directory if need be. Fails with `address_in_use`, naming process and host of the
  /// holder, if another one has it; within one process, too.
  static result<std::unique_ptr<directory_lock>> acquire(const std::string& directory);

  ~directory_lock();
  directory_lock(const directory_lock&) = delete;
  directory_lock& operator=(const directory_lock&) = delete;

 private:
  explicit directory_lock(int file) noexcept : file_(file) {}

  int file_;
};

}  // namespace millrace
