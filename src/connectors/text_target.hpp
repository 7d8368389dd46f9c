#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"

namespace millrace {

/// Where a sink's text goes. Every call may block and comes from I/O threads, one at a time.
class text_target {
 public:
  virtual ~text_target() = default;

  /// Before the first text.
  virtual status open() { return {}; }
  /// Whole lines.
  virtual status write(std::string_view text) = 0;
  /// After the last text: makes it visible to others.
  virtual status commit() { return {}; }
  /// Instead of commit: leaves nothing behind. May come before open.
  virtual void abort() noexcept {}
};

/// Standard output of this process. Lines of different tasks are not mixed: each `write` is written
/// as a whole.
std::shared_ptr<text_target> standard_output();

}  // namespace millrace
