#include "millrace/stream/operator.hpp"

#include "millrace/core/assert.hpp"

namespace millrace {

void source_operator::process(std::size_t, batch&, rows_access) {
  MILLRACE_ASSERT(false, "a source has no input");
}

}  // namespace millrace
