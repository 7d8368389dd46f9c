#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/rocksdb_log_format.hpp"

namespace millrace {

/// Whether it is one of those that a rocksdb_change_log has made.
inline bool is_change_log(const database_file& file) noexcept {
  return file.name.ends_with(".log");
}

/// The changes of a database since an image of it, in files that RocksDB takes for its write-ahead
/// log: beside the files of that image they make an image of now, which needs no flush, and whose
/// only new file is what has changed since the last one (the idea of Flink's changelog state
/// backend, FLIP-158).
///
/// RocksDB's own log would not do: it begins a new file only when a memtable is full, so each
/// snapshot would have to store again what earlier ones have.
///
/// Changes are lost, and is_complete() false, once they are too many or can't be written: the next
/// image has to have everything in its files. Used from one thread at a time.
class rocksdb_change_log {
 public:
  /// Logs nothing until begin(). `directory` is its own: made when needed, and removed in the end.
  explicit rocksdb_change_log(std::string directory) noexcept;
  ~rocksdb_change_log();
  rocksdb_change_log(const rocksdb_change_log&) = delete;
  rocksdb_change_log& operator=(const rocksdb_change_log&) = delete;

  /// Where the files are.
  const std::string& directory() const noexcept { return directory_; }

  /// Forgets what was logged: the image is one of now. Logs up to `bytes_max` from here on.
  /// `last_number` is that of the log that the database has, or had: files here are later ones.
  void begin(std::uint64_t last_number, std::uint64_t bytes_max);
  /// Logs no more, and forgets what was logged.
  void end() noexcept { give_up(); }
  /// Has everything since begin().
  bool is_complete() const noexcept { return is_complete_; }
  /// A write batch as the database has it (rocksdb::WriteBatch::Data), whose first change got that
  /// sequence number. Ignored unless complete.
  void append(std::string_view batch, std::uint64_t sequence);
  /// Ends the file that was begun, if any, so that it never changes again.
  void cut();
  /// What was cut since begin(), in order.
  const std::vector<database_file>& files() const noexcept { return files_; }

 private:
  void write_out();
  void give_up() noexcept;
  void remove(const std::string& name) noexcept;

  std::string directory_;
  local_file_system local_;
  std::uint64_t last_number_ = 0;
  std::uint64_t bytes_left_ = 0;
  bool is_complete_ = false;
  std::vector<database_file> files_;

  // Of the file that is written.
  std::unique_ptr<file_writer> file_;
  rocksdb_log_format format_;
  std::uint64_t bytes_written_ = 0;
  byte_writer buffer_;
  std::string stamped_;  // scratch
};

}  // namespace millrace
