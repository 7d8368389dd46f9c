#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "millrace/core/configuration.hpp"
#include "millrace/state/state_backend.hpp"

namespace millrace {

/// The backend of a type that `state.backend.type` names, the same one for all tasks of a task
/// manager. May be called from any thread. The first call for a type makes the backend; an error
/// says why it can't, and the next call tries again.
using state_backend_provider =
    std::function<result<std::shared_ptr<state_backend>>(std::string_view type)>;

/// Makes backends with the memory and below the directory that a task manager's configuration
/// names. Jobs choose among them.
state_backend_provider make_state_backend_provider(const configuration& config);

}  // namespace millrace
