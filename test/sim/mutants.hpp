#pragma once

#include <span>
#include <string_view>

namespace millrace::sim {

/// A bug of the engine that can be switched on in the simulation's build of it.
struct mutant {
  std::string_view name;  ///< As in MILLRACE_MUTANT(name).
  std::string_view what;
};

extern const std::span<const mutant> all_mutants;

/// Switches one on, and off whichever was on; an empty name switches all off. False if there is
/// none of that name.
bool switch_on_mutant(std::string_view name);

}  // namespace millrace::sim
