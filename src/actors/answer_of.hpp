#pragma once

#include <caf/response_promise.hpp>
#include <utility>

#include "millrace/actors/error_bridge.hpp"

namespace millrace {

/// Keeps the promise with a `result`, or its error.
inline auto answer_of(caf::response_promise promise) {
  return [promise = std::move(promise)](auto&& answer) mutable {
    if (answer)
      promise.deliver(std::move(*answer));
    else
      promise.deliver(to_caf(answer.error()));
  };
}

}  // namespace millrace
