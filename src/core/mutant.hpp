#pragma once

// Bugs that the simulation can switch on, to prove that it would find them: see
// test/sim/mutants.cpp. Only its own build of the engine has them, and builds for tests; everywhere
// else MILLRACE_MUTANT(name) is the constant false, and the compiler removes what depends on it.

#ifdef MILLRACE_SIMULATION

#include <string_view>

namespace millrace {

/// The mutant that is switched on, or an empty text.
extern std::string_view active_mutant;

inline bool mutant_is_active(std::string_view name) noexcept {
  return !active_mutant.empty() && active_mutant == name;
}

}  // namespace millrace

#define MILLRACE_MUTANT(name) (::millrace::mutant_is_active(#name))
#else
#define MILLRACE_MUTANT(name) false
#endif
