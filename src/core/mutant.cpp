#include "millrace/core/mutant.hpp"

#ifdef MILLRACE_SIMULATION
namespace millrace {

// For all that uses MILLRACE_MUTANT(...).
std::string_view active_mutant;

}  // namespace millrace
#endif
