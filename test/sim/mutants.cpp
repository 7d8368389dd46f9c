#include "sim/mutants.hpp"

#include "millrace/core/mutant.hpp"

namespace millrace {

std::string_view active_mutant;

namespace sim {

namespace {

constexpr mutant mutants[] = {
    {"credit_counted_twice", "any", "a task takes each credit for two"},
};

}  // namespace

const std::span<const mutant> all_mutants(mutants);

bool switch_on_mutant(std::string_view name) {
  active_mutant = {};
  if (name.empty()) return true;
  for (const auto& m : mutants) {
    if (m.name != name) continue;
    active_mutant = m.name;
    return true;
  }
  return false;
}

}  // namespace sim

}  // namespace millrace
