#pragma once

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

enum class answer { yes, no };

/// Asks on the terminal. Enter, end of input, and another Ctrl-C while it waits are a no.
answer ask(const char* question, interrupt_counter& interrupts);

}  // namespace millrace::cli
