#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/error.hpp"

/// Files, as far as the engine needs them, behind an interface that a simulation replaces.
///
/// Everything here blocks: call it from `io_executor` work only. Paths are the operating system's,
/// separated by '/'. Errors are `not_found`, `permission_denied` or `io` and name the path and the
/// reason: "can't open '/x/y': No such file or directory".
namespace millrace {

/// What a directory says about a file.
struct file_info {
  std::string path;        ///< As asked for; in listings "<directory>/<name>".
  std::uint64_t size = 0;  ///< Bytes; 0 for directories.
  /// Symbolic links are followed.
  bool is_directory = false;
  std::int64_t modified_ms = 0;  ///< Wall clock.
};

/// An open file to read from. One thread at a time. The destructor closes it.
class file_reader {
 public:
  virtual ~file_reader() = default;

  /// Fills `into` from `offset` on. Fewer bytes than asked for mean the end of the file.
  virtual result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// The size when the file was opened.
  virtual std::uint64_t size() const noexcept = 0;
};

/// An open file to write to, at its end. One thread at a time. The destructor closes it without
/// `sync`, and then nobody hears of errors: call `close`.
class file_writer {
 public:
  virtual ~file_writer() = default;

  /// Writes all of `bytes`. After an error the end of the file is undefined.
  virtual status append(std::span<const std::byte> bytes) = 0;
  /// Returns when the content would survive a power cut.
  virtual status sync() = 0;
  /// Further calls fail.
  virtual status close() = 0;
};

/// What to do when there is a file of that name, or none.
enum class write_mode {
  create,    ///< A new file; fails if one is there.
  truncate,  ///< A new file, or an old one emptied.
  append,    ///< Behind what is there, if anything.
};

/// Safe to use from any thread.
class file_system {
 public:
  virtual ~file_system() = default;

  /// About one file or directory.
  virtual result<file_info> stat(const std::string& path) = 0;
  /// What a directory holds, not deeper, without "." and "..", sorted by path.
  virtual result<std::vector<file_info>> list(const std::string& directory) = 0;
  /// Fails for a directory.
  virtual result<std::unique_ptr<file_reader>> open_reader(const std::string& path) = 0;
  /// Fails for a directory, and if the directory it lies in is not there.
  virtual result<std::unique_ptr<file_writer>> open_writer(const std::string& path,
                                                           write_mode mode) = 0;
  /// With its parents; fine if it is there already.
  virtual status create_directories(const std::string& path) = 0;
  /// Replaces `to` atomically. Durable after `sync_directory` of the directory of `to`.
  virtual status rename(const std::string& from, const std::string& to) = 0;
  /// Gives a file a second name, under which it stays when the first one goes. Fails if there is
  /// something of that name, and where it could only be done by copying: as it is here, for file
  /// systems without links.
  virtual status link(const std::string& from, const std::string& to);
  /// A file or an empty directory.
  virtual status remove(const std::string& path) = 0;
  /// Makes creations, renames and removals inside a directory survive a power cut.
  virtual status sync_directory(const std::string& path) = 0;
};

/// The machine's own files, by POSIX calls.
class local_file_system final : public file_system {
 public:
  result<file_info> stat(const std::string& path) override;
  result<std::vector<file_info>> list(const std::string& directory) override;
  result<std::unique_ptr<file_reader>> open_reader(const std::string& path) override;
  result<std::unique_ptr<file_writer>> open_writer(const std::string& path,
                                                   write_mode mode) override;
  status create_directories(const std::string& path) override;
  status rename(const std::string& from, const std::string& to) override;
  status link(const std::string& from, const std::string& to) override;
  status remove(const std::string& path) override;
  status sync_directory(const std::string& path) override;
};

/// Whether a path is a pattern for `glob`: has one of * ? [
bool is_glob(std::string_view path) noexcept;

/// The files and directories whose path matches a shell pattern, sorted by path; none is no error.
/// `*`, `?` and `[...]` match within one path component and not a leading dot, as in a shell.
result<std::vector<file_info>> glob(file_system& files, const std::string& pattern);

/// All bytes of a file of at most `bytes_max`; a larger one is an error, before it is read.
result<std::string> read_file(file_system& files, const std::string& path, std::uint64_t bytes_max);

}  // namespace millrace
