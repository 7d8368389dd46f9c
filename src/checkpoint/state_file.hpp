#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "millrace/checkpoint/local_restore.hpp"
#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/chunked_bytes.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

// Files of state. All numbers are little-endian; do not renumber.
//
//   file   := header | content | footer
//   header := magic "MRSTATE\n" | version u32, now 1 | reserved u32, 0
//   footer := length of the content u64 | XXH3_64bits of the content u64 | magic "\nMRSTEND"
//
// What the content is, only the metadata of the checkpoint knows: pieces, each with its place and
// checksum. The footer comes last, so a file that was cut off anywhere is noticed. All of this
// blocks.

namespace millrace {

/// Writes one such file, from begin to end. One thread at a time.
class state_file_writer {
 public:
  ~state_file_writer();
  state_file_writer(state_file_writer&&) noexcept;

  /// Replaces nothing: fails if there is such a file, or no such directory. `name` is what the
  /// handles say, relative to `directory`.
  static result<state_file_writer> open(file_system& files, const std::string& directory,
                                        std::string name);

  /// Appends a piece.
  result<stored_bytes> append(byte_view piece);
  /// Appends these as one piece, and the checksum of each to `checksums`.
  result<stored_bytes> append_parts(const std::vector<chunked_bytes>& parts,
                                    std::vector<std::uint64_t>& checksums);
  /// Appends all of a file as one, block by block.
  result<stored_bytes> append(file_reader& piece);
  /// Writes the footer and syncs.
  status finish();

 private:
  struct progress;
  stored_bytes begin_piece() const;
  void count(byte_view block);
  status append_block(byte_view block);
  state_file_writer(std::unique_ptr<file_writer> file, std::string name);

  std::unique_ptr<progress> at_;
};

/// Where the file of a piece lies that is not kept in its handle. `directory` is that of the
/// metadata.
std::string path_of_stored(const std::string& directory, const stored_bytes& piece);

/// Where pieces of a snapshot are read.
struct snapshot_source {
  file_system& files;
  std::string directory;  ///< Of the metadata.
  /// What is looked at first, and counts what is read of files; null to read the originals only.
  local_restore* local = nullptr;
};

/// Has `use(files, path)`, which returns a `result` or `status`, read a piece that is in a file:
/// its copy on this machine, if there is one, and the original if that does not end well.
template <class Use>
auto read_copy_or_original(const snapshot_source& from, const stored_bytes& piece,
                           std::uint64_t bytes, Use&& use) {
  const auto path = path_of_stored(from.directory, piece);
  const auto copy = from.local != nullptr ? from.local->copy_of(path) : std::nullopt;
  if (copy) {
    auto done = use(from.local->disk(), *copy);
    if (done) {
      from.local->count_copy(bytes);
      return done;
    }
    from.local->pass_over(path, *copy, done.error());
  }
  auto done = use(from.files, path);
  if (done && from.local != nullptr) from.local->count_original(bytes);
  return done;
}

/// Bytes `begin` to `end` of a stored piece, whose checksum is `checksum`. `invalid_data`, with the
/// path, if they are not what was written.
result<std::vector<std::byte>> read_stored(const snapshot_source& from, const stored_bytes& piece,
                                           std::uint64_t begin, std::uint64_t end,
                                           std::uint64_t checksum);
/// All of it.
result<std::vector<std::byte>> read_stored(const snapshot_source& from, const stored_bytes& piece);

/// All of it, block by block, for pieces of any size; of the originals only. What was given to
/// `visit` counts only if it ends well. What `visit` fails with ends it.
status read_stored_blocks(const snapshot_source& from, const stored_bytes& piece,
                          const std::function<status(byte_view)>& visit);
/// The same for a piece that is in the file at `path`.
status read_piece_blocks(file_system& files, const std::string& path, const stored_bytes& piece,
                         const std::function<status(byte_view)>& visit);

/// A handle that holds the bytes itself.
stored_bytes keep_bytes(std::vector<std::byte> bytes);

/// Reads the whole file and checks header, length and checksum, for those who look for damage.
status check_state_file(file_system& files, const std::string& path);

}  // namespace millrace
