#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "millrace/stream/operator.hpp"
#include "millrace/stream/output_tag.hpp"
#include "reference/window_reference.hpp"

namespace millrace::test {

/// What a window makes of its records.
enum class keeping : std::uint8_t {
  sum,   ///< aggregate: of the values.
  fold,  ///< reduce: to one event with the sum of the values and the latest time.
  list,  ///< process and apply.
};

/// What a window has for it, in state.
using chosen_accumulator =
    std::variant<std::int64_t, reference::event, std::vector<reference::event>>;

/// What a window function was given.
struct fired {
  std::int64_t key = 0;
  timestamp_ms start = 0;
  timestamp_ms end = 0;
  std::int64_t nth = 0;              ///< Of the window, if state counts them.
  std::vector<std::int64_t> values;  ///< Sorted, if there are several.

  auto operator<=>(const fired&) const = default;
};

/// A window operator that is chosen at run time.
struct chosen_windows {
  reference::window_job job;
  keeping keeps = keeping::list;
  bool is_sliced = false;       ///< By the operator whose windows share slices.
  bool counts_firings = false;  ///< In state of the window.

  /// Whether the clock's time and that of events are compared.
  bool meets_clock() const;
  std::string to_string() const;
};

/// Where the operators put late events.
inline const output_tag<reference::event> late_events("late");

/// Where all but those that share slices say again what fired.
inline const output_tag<fired> fired_aside("fired");

/// Keyed by event::key.
operator_factory_ptr make_operator(const chosen_windows& how);

}  // namespace millrace::test
