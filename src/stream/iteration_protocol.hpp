#pragma once

#include <cstdint>
#include <vector>

namespace millrace {

/// What the coordinator of an iteration asks of the tasks of its loop. Numbers travel between
/// nodes: do not renumber.
enum class iteration_request : std::uint8_t {
  report = 0,          ///< Answer as soon as there is nothing left to do.
  confirm = 1,         ///< Answer now; if there is nothing left to do, let no timer bring up more.
  end_event_time = 2,  ///< To the head: event time is over.
  end = 3,             ///< To the head: nothing is left in the loop, end it.
};

/// coordinator -> task.
struct iteration_command {
  iteration_request request = iteration_request::report;
  std::uint64_t round = 0;  ///< What an answer is an answer to.

  bool operator==(const iteration_command&) const = default;
};

/// task -> coordinator: a task is passive if all that comes from outside of the loop has ended, all
/// that has come was processed, and all that was emitted has left.
struct iteration_report {
  std::uint64_t round = 0;
  bool is_passive = false;
  std::vector<std::uint64_t> sent;      ///< Elements, by output channel.
  std::vector<std::uint64_t> received;  ///< Elements, by input channel.

  bool operator==(const iteration_report&) const = default;
};

}  // namespace millrace
