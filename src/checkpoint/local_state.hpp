#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "millrace/checkpoint/local_copies.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/inherited_directory.hpp"

namespace millrace {

/// The local copies of a task manager's process, in a directory of its own: one that a process that
/// was killed has left, with what is in it, or a new one. Gone with this object.
class local_state {
 public:
  /// What the configuration says. Null if there are to be none, and if the directory can't be had,
  /// which is logged: tasks then go without. `token` is unique among processes. Blocks.
  static std::unique_ptr<local_state> open(const configuration& config, const std::string& token,
                                           std::chrono::steady_clock::time_point now);

  const std::shared_ptr<local_copies>& copies() const noexcept { return copies_; }

 private:
  explicit local_state(std::unique_ptr<inherited_directory> directory);

  std::unique_ptr<inherited_directory> directory_;
  std::shared_ptr<local_copies> copies_;
};

}  // namespace millrace
