#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/state_processor/written_subtask.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// A savepoint that is to be written.
struct savepoint_plan {
  std::string path;
  /// Whose state it says it is, and from which checkpoint on: that of the one which it is made
  /// from.
  job_id job;
  std::string job_name{};  ///< Empty: that of the job which writes it.
  checkpoint_id checkpoint{1};
  std::vector<std::string> uids{};  ///< Of all operators, in their order.
};

/// The metadata of the savepoint that consists of these subtasks. Fails if some are missing.
result<checkpoint_metadata> put_together(const savepoint_plan& plan,
                                         std::vector<written_subtask> subtasks);

/// Makes what was written for it a savepoint at its path: the state files that the metadata name,
/// durably, and nothing else. Blocks. Until it is done, there is nothing at the path.
status finish_savepoint(file_system& files, const std::string& path,
                        const checkpoint_metadata& metadata);

/// The last operator of a job that writes a savepoint, without parallelism: gathers what all
/// subtasks have written, and makes it a savepoint at the end of its input.
operator_factory_ptr make_savepoint_output(savepoint_plan plan);

}  // namespace millrace
