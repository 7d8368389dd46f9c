#include "millrace/operators/refuse_checkpoints.hpp"

#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

void refuse_checkpoints(operator_context& context, std::string_view why, std::string_view instead) {
  const auto subject = "operator '" + context.runtime().operator_name() + "' can't be part of a ";
  const auto because = ", because " + std::string(why);
  if (!context.is_checkpointed()) return context.refuse_savepoints(subject + "savepoint" + because);
  auto text = subject + "job that takes checkpoints" + because +
              ": leave execution.checkpointing.interval out";
  if (!instead.empty()) text += ", or " + std::string(instead);
  throw failure(errc::invalid_config, text);
}

}  // namespace millrace
