#pragma once

#include <csignal>

namespace millrace::node {

/// SIGINT and SIGTERM as an event to wait for. Constructed before any thread is started: threads
/// inherit that the signals are held back.
class stop_signals {
 public:
  stop_signals();

  /// Blocks until one comes: its number. From then on another one ends the process at once.
  int wait();

 private:
  sigset_t signals_{};
};

}  // namespace millrace::node
