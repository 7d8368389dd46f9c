#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "millrace/core/file_system.hpp"
#include "millrace/stream/runtime_context.hpp"

namespace millrace {

/// The two names of a part file: a hidden one while it is written and waits to be committed, and
/// the one that readers know.
struct part_name {
  std::string working;
  std::string target;
};

/// A part that has just been made.
struct opened_part {
  part_name name;
  std::unique_ptr<file_writer> out;
};

/// What the names of a subtask's parts depend on after a restart.
struct part_recovery {
  bool is_restored = false;
  /// The number that each subtask of the attempt that took the checkpoint would have given to its
  /// next part. Parts with that number or a greater one are of attempts that are lost.
  /// Subtasks that had ended before the checkpoint are not among them.
  std::map<std::uint32_t, std::uint64_t> next_numbers;
  std::uint32_t parallelism = 0;  ///< Of that attempt.
};

/// Where the parts of one subtask go, and what they are called. Every call blocks and comes from
/// I/O threads, one at a time.
class part_places {
 public:
  virtual ~part_places() = default;

  /// Before all else: refuses a place that can't be used, removes what lost attempts have left.
  virtual status start() = 0;
  /// A new empty file.
  virtual result<opened_part> open(const std::string& bucket) = 0;
  /// Whether this job has begun the part with that hidden name. One that it has from another job's
  /// snapshot stays there, so that others can begin with that snapshot, too.
  virtual bool is_ours(const std::string& /*working*/) const { return true; }
  /// The number of the part that the next open() makes.
  virtual std::uint64_t next_number() const noexcept = 0;
  /// Whether a part's target may be there already, and is then replaced.
  virtual bool replaces() const noexcept { return false; }
};

/// Names one sink of one submission: whoever starts a job a second time must not touch what the
/// first one still writes. 16 hex digits.
std::string job_token(const runtime_context& self);
/// `path` without slashes at its end.
std::string without_trailing_slashes(std::string path);
/// The directory that `path` lies in.
std::string directory_of(const std::string& path);
/// The last component of `path`.
std::string file_name_of(const std::string& path);
/// `path`, or what is nearest above it, that is there.
std::string nearest_directory(file_system& files, std::string path);
/// Makes `directory` and what is missing above it, up to `is_there`, such that a power cut does not
/// take them away, as with them all would be lost that was renamed into them. `is_there` is
/// `directory` or lies above.
status make_durable_directories(file_system& files, const std::string& directory,
                                const std::string& is_there);

}  // namespace millrace
