#pragma once

#include <string_view>

#include "millrace/stream/operator.hpp"

namespace millrace {

/// What to do in place of taking checkpoints where the job could run in batch mode, which takes
/// none.
inline constexpr std::string_view run_in_batch_mode =
    "run the job with execution.runtime-mode = batch";

/// For open() of operators whose state no checkpoint can hold: throws `failure(invalid_config)`
/// with the operator's name if the job takes checkpoints, since a restart would lose what the
/// operator has. If it takes none, savepoints are refused as long as the task runs. `why` goes on
/// after "because". `instead` is what else can be done than to leave checkpoints out; empty for
/// nothing.
void refuse_checkpoints(operator_context& context, std::string_view why,
                        std::string_view instead = run_in_batch_mode);

}  // namespace millrace
