#include <caf/actor_system_config.hpp>

#include "millrace/actors/wire.hpp"

namespace millrace::wire {

void register_types(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::millrace_wire>();
}

}  // namespace millrace::wire
