#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/source/source.hpp"
#include "millrace/state_processor/written_subtask.hpp"

namespace millrace {

/// What is to be taken over from a snapshot into a savepoint that is being written.
struct operator_copies {
  std::string from;                   ///< The snapshot.
  std::string to;                     ///< The savepoint.
  std::vector<std::string> uids{};    ///< Of the operators.
  std::vector<std::uint32_t> counts;  ///< How many subtasks each of them has.
  std::uint32_t number = 0;           ///< Of the first one: see bootstrap_target.
};

/// A source that copies the state of operators, subtask by subtask in I/O threads, and says where
/// it is then.
std::shared_ptr<const source_base<written_subtask>> make_operator_copies(operator_copies what);

}  // namespace millrace
