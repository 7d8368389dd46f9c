#include "millrace/operators/refuse_checkpoints.hpp"

#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

void refuse_checkpoints(operator_context& context, std::string_view why) {
  if (!context.is_checkpointed()) return;
  throw failure(errc::invalid_config,
                "operator '" + context.runtime().operator_name() +
                    "' can't be part of a job that takes checkpoints, because " + std::string(why) +
                    ": leave execution.checkpointing.interval out, or run the job in batch mode");
}

}  // namespace millrace
