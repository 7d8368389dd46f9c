#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/state/state_info.hpp"

// The files of a database of keyed state as of one moment: what a native snapshot is made of.

namespace millrace {

/// One of them.
struct database_file {
  std::string name;  ///< As the database calls it.
  std::uint64_t bytes = 0;
};

/// Whether a file never changes, and no other file of that database ever gets its name: an SST file
/// of RocksDB, or a log of changes. Later images may then share it.
constexpr bool is_shareable(std::string_view name) noexcept {
  return name.ends_with(".sst") || name.ends_with(".log");
}

/// The files in a local directory of their own, which is removed with the last reference (Flink's
/// SnapshotDirectory). Safe to read from any thread.
class database_image {
 public:
  /// Takes over the directory.
  database_image(std::string directory, std::vector<database_file> files);
  ~database_image();
  database_image(const database_image&) = delete;
  database_image& operator=(const database_image&) = delete;

  const std::string& directory() const noexcept { return directory_; }
  const std::vector<database_file>& files() const noexcept { return files_; }

  /// What its tables hold, in the order of their names. Said once, by who makes it.
  std::vector<state_info> tables;
  /// Which database of the process it is of: what another one calls by the same name is not the
  /// same file. Goes on with who goes on with an image.
  std::uint64_t database = 0;
  /// Of a copy: whether what it was copied from can be opened, so that whoever cannot open the copy
  /// can tell what is wrong. Blocks. Empty if it is no copy, or nobody knows.
  std::function<status()> check_origin;

 private:
  std::string directory_;
  std::vector<database_file> files_;
};

/// An image that lies somewhere else, and is only read. Safe to use from any thread. Blocks.
class database_files {
 public:
  virtual ~database_files() = default;

  virtual const std::vector<database_file>& files() const noexcept = 0;
  /// What its tables hold.
  virtual const std::vector<state_info>& tables() const noexcept = 0;
  /// One of the files, which was found to be intact.
  virtual result<std::unique_ptr<file_reader>> open(const std::string& name) const = 0;
  /// Copies one to a local path; fails if it is not intact.
  virtual status copy(const std::string& name, const std::string& path) const = 0;
};

}  // namespace millrace
