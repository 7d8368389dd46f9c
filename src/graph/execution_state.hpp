#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// The life of one execution (one attempt to run one subtask), as in Flink:
//
//   created -> scheduled -> deploying -> initializing -> running -> finished
//      |           |            |             |             |
//      |           |            +-------------+-------------+--> canceling -> canceled
//      +-----------+-- (nothing to stop yet) --------------------------------> canceled
//
//   any state that is not terminal, except canceling -> failed
//
// From deploying on, the task manager reports progress; a fast task may skip initializing and
// running. Once canceling, whatever ends the execution makes it canceled: the failures of tasks
// that are being torn down are noise.

namespace millrace::graph {

/// Numbers travel between nodes: do not renumber.
enum class execution_state : std::uint8_t {
  created = 0,       ///< Exists in the execution graph only.
  scheduled = 1,     ///< Waits for its slot.
  deploying = 2,     ///< Has a slot; its task manager was told to start the task.
  initializing = 3,  ///< The task exists and opens its operators, restores state.
  running = 4,       ///< Processes records.
  finished = 5,      ///< Terminal: processed all of its bounded input.
  canceling = 6,     ///< Its task manager was told to stop it.
  canceled = 7,      ///< Terminal: stopped because it was told to.
  failed = 8,        ///< Terminal: a user function threw, its task manager was lost, …
};

inline constexpr std::size_t execution_state_count = 9;

/// Upper case, as Flink shows it.
std::string_view to_string(execution_state state) noexcept;

/// finished, canceled or failed.
bool is_terminal(execution_state state) noexcept;

/// Whether the diagram above has this arrow. Nothing leads from a state to itself.
bool can_transition(execution_state from, execution_state to) noexcept;

}  // namespace millrace::graph
