#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "millrace/connectors/part_places.hpp"

namespace millrace {

/// One part on disk. `name` is set when the part was opened and never changes afterwards; `out`
/// belongs to the I/O threads.
struct part_file {
  std::string bucket{};
  part_name name{};
  std::unique_ptr<file_writer> out{};
  bool is_listed = false;  // its directory was synced since it was made
};

/// One thing to be done about a part.
struct part_command {
  enum class action : std::uint8_t {
    open,    ///< Makes the file.
    resume,  ///< Makes the file and copies the first `bytes` of file `text` into it.
    append,  ///< `text`.
    sync,    ///< What was appended survives a power cut.
    close,   ///< The same, and nothing follows.
    remove,  ///< The file `text`, which belongs to no part any more, if it is there.
  };
  action what = action::open;
  std::shared_ptr<part_file> part{};
  std::string text{};
  std::uint64_t bytes = 0;
};

/// Carries out the commands of one writer. Shared by its task and the I/O threads; all calls block
/// and come from I/O threads. The first error sticks.
class part_files {
 public:
  /// `files` must outlive this.
  part_files(file_system& files, std::unique_ptr<part_places> places)
      : files_(files), places_(std::move(places)) {}

  /// In their order, up to the first error. Texts stay with the commands, so that their memory can
  /// be used again. Returns the number of the next part.
  result<std::uint64_t> run(const std::vector<part_command>& commands);
  /// Instead of all later runs: closes these parts, and removes them.
  void abandon(const std::vector<std::shared_ptr<part_file>>& removed) noexcept;

 private:
  status run(const part_command& command);
  status open(part_file& part);
  status copy(const std::string& from, std::uint64_t bytes, part_file& to);
  status sync(part_file& part);

  std::mutex mutex_;  // against abandon() while commands are carried out
  file_system& files_;
  std::unique_ptr<part_places> places_;
  status outcome_;
  bool has_started_ = false;
  bool is_abandoned_ = false;
};

}  // namespace millrace
