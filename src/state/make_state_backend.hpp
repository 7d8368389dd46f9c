#pragma once

#include <memory>

#include "millrace/core/configuration.hpp"
#include "millrace/state/state_backend.hpp"

namespace millrace {

/// The backend that `state.backend.type` names, for all tasks of one task manager. Fails if its
/// directory can't be made.
result<std::shared_ptr<state_backend>> make_state_backend(const configuration& config);

}  // namespace millrace
