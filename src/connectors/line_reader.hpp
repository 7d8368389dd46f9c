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

  bool operator==(const file_split&) const = default;
};

/// The files that a path stands for: itself, those of a directory (not deeper), or the matches of a
/// pattern; sorted, without hidden ones (".name", "_name") unless the path names the one file.
/// Blocks. Errors are worded for the user: "cannot read '<path>': …".
result<std::vector<file_info>> list_input_files(file_system& files, const std::string& path);

/// The share of one subtask: an equal part of the bytes of all files, put end to end. A compressed
/// file goes, as a whole, to whom its first byte belongs.
std::vector<file_split> splits_of(const std::vector<file_info>& files, std::uint32_t subtask,
                                  std::uint32_t parallelism);

/// The text of a split, in chunks whose borders mean nothing. Blocks; one thread at a time.
class split_reader {
 public:
  virtual ~split_reader() = default;
  /// Replaces the content of `into`; nothing (size 0) is the end of the split.
  virtual status read(std::vector<char>& into) = 0;
  /// Bytes of the split that were read so far.
  virtual std::uint64_t bytes_read() const noexcept = 0;
};

result<std::unique_ptr<split_reader>> open_split(file_system& files, const file_split& split,
                                                 std::size_t chunk_bytes);

}  // namespace millrace
