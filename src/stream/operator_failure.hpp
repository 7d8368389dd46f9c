#pragma once

#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

/// A failure inside an operator of a running task: `failure` plus the operator's name. Thrown to
/// the task's step, which the task actor turns into the state FAILED.
class operator_failure : public failure {
 public:
  operator_failure(std::string operator_name, error cause)
      : failure(std::move(cause)), operator_name_(std::move(operator_name)) {}

  const std::string& operator_name() const noexcept { return operator_name_; }

 private:
  std::string operator_name_;
};

/// Rethrows the exception in flight as an operator_failure of `operator_name`, unless an operator
/// further down the chain has already put its name to it. Call only inside a catch block.
[[noreturn]] void rethrow_as_operator_failure(const std::string& operator_name);

}  // namespace millrace
