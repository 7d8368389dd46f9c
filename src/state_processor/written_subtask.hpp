#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/stream/record_type.hpp"

namespace millrace {

/// What one subtask of an operator has in a savepoint that is being written; its files are where
/// the savepoint is until all of it is there. Travels to whoever puts it together.
struct written_subtask {
  std::string uid;
  std::string name;
  std::uint32_t max_parallelism = 0;
  std::optional<std::vector<std::byte>> coordinator;  ///< Of the operator; with subtask 0.
  std::uint32_t parallelism = 1;
  std::uint32_t subtask = 0;
  bool is_finished = false;
  stored_operator_state state;
  std::vector<std::string> types;  ///< Descriptions of what is in the state.
  bool operators_finished = false;
};

/// Compiled once, and not in each job.
const record_type& written_subtask_type();

/// `invalid_argument` if there is anything at the path: a savepoint never replaces anything.
status check_path_is_free(file_system& files, const std::string& path);

/// The first attempt from `who` on whose state file is not there yet: what is may be of an earlier
/// life of the job. Blocks.
result<execution_attempt_id> with_free_state_file(file_system& files, const std::string& directory,
                                                  execution_attempt_id who);

}  // namespace millrace
