#pragma once

#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

/// "cannot read '<path>': <reason>", the reason being what follows the last ": " of the cause.
inline tl::unexpected<error> read_failure(const std::string& path, const error& cause) {
  const auto colon = cause.message.rfind(": ");
  const auto reason = colon == std::string::npos ? cause.message : cause.message.substr(colon + 2);
  return fail(cause.code, "cannot read '" + path + "': " + reason);
}

}  // namespace millrace
