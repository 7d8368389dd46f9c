#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "millrace/core/byte_buffer.hpp"

namespace millrace {

/// Puts records into the blocks of a log file of RocksDB, which reads it as one that it wrote
/// itself (RocksDB's wiki, "Write Ahead Log File Format"; db/log_format.h).
class rocksdb_log_format {
 public:
  /// Appends a record to `out`, which holds, or has held, all of the file before it.
  void append(std::string_view record, byte_writer& out);

 private:
  static constexpr std::size_t block_bytes = 32768;
  /// Ahead of each piece of a record: its checksum, its length, and which piece it is.
  static constexpr std::size_t header_bytes = 4 + 2 + 1;
  enum class piece : std::uint8_t { whole = 1, first = 2, middle = 3, last = 4 };

  static void append_piece(piece which, std::string_view bytes, byte_writer& out);

  std::size_t used_ = 0;  // of the block at the end
};

}  // namespace millrace
