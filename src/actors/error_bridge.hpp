#pragma once

#include <caf/error.hpp>

#include "millrace/core/error.hpp"

namespace millrace {

/// Our error as CAF carries it in answers to requests, and back. An error of CAF's own (a request
/// timeout, an actor that is gone) becomes `timeout` or `unreachable` with CAF's words.
caf::error to_caf(const error& e);
error from_caf(const caf::error& e);

}  // namespace millrace
