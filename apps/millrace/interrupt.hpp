#pragma once

#include <csignal>
#include <string>

namespace millrace::cli {

/// Counts Ctrl-C instead of dying of it, from construction on. One per process.
class interrupt_counter {
 public:
  interrupt_counter();
  ~interrupt_counter();
  interrupt_counter(const interrupt_counter&) = delete;
  interrupt_counter& operator=(const interrupt_counter&) = delete;

  /// How often SIGINT or SIGTERM came since the last call.
  int take() noexcept;
};

/// While a command waits for what goes on without it: says so when it is ended by Ctrl-C. One per
/// process, and not beside an interrupt_counter.
class interrupt_notice {
 public:
  /// One line, for standard error, of at most 500 characters.
  explicit interrupt_notice(const std::string& line);
  ~interrupt_notice();
  interrupt_notice(const interrupt_notice&) = delete;
  interrupt_notice& operator=(const interrupt_notice&) = delete;

 private:
  struct sigaction interrupt_before_ {};
  struct sigaction termination_before_ {};
};

enum class answer { yes, no };

/// Asks on the terminal. Enter, end of input, and another Ctrl-C while it waits are a no.
answer ask(const char* question, interrupt_counter& interrupts);

}  // namespace millrace::cli
