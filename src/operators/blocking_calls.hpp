#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "millrace/core/io.hpp"

namespace millrace {

/// Passes blocking calls of one subtask to its I/O executor, a limited number at a time; the others
/// wait here in order. A call that hangs keeps its place, so that calls nobody waits for any more
/// do not use up the threads of the node. Used only from its task.
class blocking_calls {
 public:
  void open(io_executor& io, std::size_t at_once) {
    io_ = &io;
    at_once_ = at_once;
  }

  /// As io_executor::submit. The call is left out if `wanted` has expired when its turn comes.
  void submit(std::weak_ptr<const void> wanted, std::function<void()> work,
              std::function<void()> done);

  /// Calls that have begun, or are about to, and have not returned.
  std::size_t running() const noexcept { return running_; }

 private:
  struct call {
    std::weak_ptr<const void> wanted;
    std::function<void()> work;
    std::function<void()> done;
  };

  void start_more();

  io_executor* io_ = nullptr;
  std::size_t at_once_ = 1;
  std::size_t running_ = 0;
  std::deque<call> waiting_;
};

}  // namespace millrace
