#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/core/file_system.hpp"
#include "millrace/operators/sort_record.hpp"

// A run: a file of records in order, written once and read once or more, in the same process. All
// numbers little-endian.
//
//     8 bytes  "MRRUN\0\0\1"                      magic and version
//     blocks:  u32 length, u32 records, u64 XXH3_64 of the content, then the content:
//              records as write_sort_record writes them
//     the end: u32 0, u32 0, u64 number of all records
//
// Everything here blocks: it is called from I/O work only, by one thread at a time.

namespace millrace {

class run_writer {
 public:
  /// A new file.
  static result<run_writer> create(file_system& files, std::string path, std::size_t block_bytes);

  status add(const sort_record& record);
  /// Writes what is left. The run is not synced: it is of no use after a crash.
  status finish();

  const std::string& path() const noexcept { return path_; }

 private:
  run_writer(std::unique_ptr<file_writer> file, std::string path, std::size_t block_bytes)
      : file_(std::move(file)), path_(std::move(path)), block_bytes_(block_bytes) {}

  status write_block();

  std::unique_ptr<file_writer> file_;
  std::string path_;
  std::size_t block_bytes_;
  byte_writer block_;
  std::uint32_t block_records_ = 0;
  std::uint64_t records_ = 0;
};

class run_reader {
 public:
  static result<run_reader> open(file_system& files, std::string path);

  /// Reads the next record into `record`, which is valid until the next call; false at the end.
  /// Errors: `io`; `invalid_data` with the path and the place if the file is not what was written.
  result<bool> next(sort_record& record);

 private:
  run_reader(std::unique_ptr<file_reader> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  result<bool> read_block();
  status read_exactly(std::span<std::byte> into);
  tl::unexpected<error> damaged(const char* how) const;

  std::unique_ptr<file_reader> file_;
  std::string path_;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> block_;
  std::size_t block_at_ = 0;
  std::uint32_t block_records_ = 0;  // that are left of the block
  std::uint64_t records_ = 0;
};

}  // namespace millrace
