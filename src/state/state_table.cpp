#include "millrace/state/state_table.hpp"

#include <string>

namespace millrace {

status check_key_group(std::uint32_t of_key, std::uint32_t expected) {
  if (of_key == expected) return {};
  return fail(errc::invalid_data, "a key of key group " + std::to_string(of_key) +
                                      " is among those of key group " + std::to_string(expected));
}

void throw_cannot_merge(const state_info& state) {
  throw failure(errc::invalid_argument, "state '" + state.name + "' is a " +
                                            std::string(to_string(state.kind)) +
                                            ", which can't be merged over namespaces");
}

}  // namespace millrace
