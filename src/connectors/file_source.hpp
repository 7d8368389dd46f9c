#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "millrace/source/source.hpp"

namespace millrace {

/// How files are read.
struct file_source_options {
  std::size_t chunk_bytes = 1024 * 1024;  ///< How much is read at a time; two chunks are held.
  /// The most that one split has; whoever has read one gets the next. 0: what suits the size of the
  /// input and the number of readers.
  std::uint64_t split_bytes = 0;
  /// Look for new files in this interval, for ever; without it the source ends with the files that
  /// were there at the start. A file is read once, as it is when it is found: have it written under
  /// a name that is hidden (".name", "_name") or elsewhere, and renamed when it is complete.
  std::optional<std::chrono::milliseconds> discovery_interval = {};

  /// Sets `discovery_interval` (Flink's monitorContinuously).
  [[nodiscard]] file_source_options monitor_continuously(std::chrono::milliseconds interval) const {
    auto changed = *this;
    changed.discovery_interval = interval;
    return changed;
  }
};

/// The lines of the files that `path` stands for (connectors/line_reader.hpp). A split is a part of
/// a file; its position is a byte offset, so that reading goes on within a file; compressed files
/// are read anew up to there. Throws `failure(invalid_argument)` for options that make no sense.
std::shared_ptr<const source_base<std::string>> make_text_files(std::string path,
                                                                file_source_options options);

}  // namespace millrace
