#pragma once

#include <cstdio>
#include <cstdlib>

namespace millrace::detail {

[[noreturn]] inline void assertion_failed(const char* condition, const char* message,
                                          const char* file, int line) noexcept {
  std::fprintf(stderr, "millrace: %s:%d: assertion failed: %s (%s)\n", file, line, message,
               condition);
  std::abort();
}

}  // namespace millrace::detail

/// Checks an invariant, in release builds too: a process that broke one stops rather than spoils
/// state. For our own defects only, never for input, configuration or user code.
#define MILLRACE_ASSERT(condition, message)                                          \
  do {                                                                               \
    if (!(condition)) [[unlikely]]                                                   \
      ::millrace::detail::assertion_failed(#condition, message, __FILE__, __LINE__); \
  } while (false)
