#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// The snapshot that the tasks of one node begin from: its metadata, which can be large, is read
/// once, by whoever needs it first, and not by each of them. Thread-safe.
class restore_source {
 public:
  restore_source(std::shared_ptr<file_system> files, std::string location)
      : files_(std::move(files)), location_(std::move(location)) {}

  /// Blocks, also for another one that reads it. An error stays one.
  const result<checkpoint_metadata>& metadata();

  file_system& files() const noexcept { return *files_; }
  /// The directory of the metadata.
  const std::string& location() const noexcept { return location_; }

 private:
  std::shared_ptr<file_system> files_;
  std::string location_;
  std::once_flag is_read_;
  std::optional<result<checkpoint_metadata>> metadata_;
};

}  // namespace millrace
