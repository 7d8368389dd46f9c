#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// A part of a file: the lines that start in the bytes [begin, end). Every line of a file thus
/// belongs to exactly one part, wherever the borders fall.
struct file_split {
  std::string path;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< Of a compressed file, which is never split: its size.
  bool is_compressed = false;
  /// Where reading goes on: a byte of the file, where a line starts unless it is `begin`; of a
  /// compressed file a byte of its text.
  std::uint64_t position = 0;

  std::string id() const { return path + "@" + std::to_string(begin); }
  bool operator==(const file_split&) const = default;
};

/// The files that a path stands for: itself, those of a directory (not deeper), or the matches of a
/// pattern; sorted, without hidden ones (".name", "_name") unless the path names the one file.
/// Blocks. Errors are worded for the user: "cannot read '<path>': …".
result<std::vector<file_info>> list_input_files(file_system& files, const std::string& path);

/// Cuts files into splits of equal size, at most `split_bytes` (above 0); compressed files stay
/// whole.
std::vector<file_split> split_files(const std::vector<file_info>& files, std::uint64_t split_bytes);

/// The text of a split, in chunks whose borders mean nothing. Blocks; one thread at a time.
class split_reader {
 public:
  virtual ~split_reader() = default;
  /// Appends to `into`; nothing appended is the end of the split.
  virtual status read(std::vector<char>& into) = 0;
  /// Where in the file, of a compressed one in its text, the piece starts that was read last.
  virtual std::uint64_t offset() const noexcept = 0;
  /// Bytes of the split that were read so far, those before its position included.
  virtual std::uint64_t bytes_read() const noexcept = 0;
};

result<std::unique_ptr<split_reader>> open_split(file_system& files, const file_split& split,
                                                 std::size_t chunk_bytes);

}  // namespace millrace
