#pragma once

#include <string_view>

#include "millrace/stream/operator.hpp"

namespace millrace {

/// For open() of operators whose state no checkpoint can hold: throws `failure(invalid_config)`
/// with the operator's name if the job takes checkpoints, since a restart would lose what the
/// operator has. `why` goes on after "because".
void refuse_checkpoints(operator_context& context, std::string_view why);

}  // namespace millrace
