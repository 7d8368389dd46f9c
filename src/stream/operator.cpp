#include "millrace/stream/operator.hpp"

#include "millrace/core/assert.hpp"
#include "millrace/stream/operator_coordinator.hpp"

namespace millrace {

void operator_context::wake_at_processing_time(timestamp_ms when) {
  // Beyond this the steady clock would overflow; whoever is woken early asks again.
  constexpr timestamp_ms longest = 1000LL * 60 * 60 * 24 * 365;
  const auto wall = time().wall_ms();
  const auto wait = when <= wall ? 0 : wall < when - longest ? longest : when - wall;
  wake_at(time().now() + std::chrono::milliseconds(wait));
}

void source_operator::process(std::size_t, batch&, rows_access) {
  MILLRACE_ASSERT(false, "a source has no input");
}

std::unique_ptr<operator_coordinator> operator_factory::create_coordinator(
    coordinator_context&) const {
  return nullptr;
}

}  // namespace millrace
