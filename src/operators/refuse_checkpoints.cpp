#include "millrace/operators/refuse_checkpoints.hpp"

#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

void refuse_checkpoints(operator_context& context, std::string_view why, std::string_view instead) {
  if (!context.is_checkpointed()) return;
  auto text = "operator '" + context.runtime().operator_name() +
              "' can't be part of a job that takes checkpoints, because " + std::string(why) +
              ": leave execution.checkpointing.interval out";
  if (!instead.empty()) text += ", or " + std::string(instead);
  throw failure(errc::invalid_config, text);
}

}  // namespace millrace
