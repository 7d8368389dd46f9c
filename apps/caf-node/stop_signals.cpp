#include "stop_signals.hpp"

#include <pthread.h>

namespace millrace::node {

stop_signals::stop_signals() {
  // Connections that break while they are written to are no reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

int stop_signals::wait() {
  int number = 0;
  while (sigwait(&signals_, &number) != 0) {
  }
  // A shell without job control starts background processes with SIGINT ignored.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
  return number;
}

}  // namespace millrace::node
