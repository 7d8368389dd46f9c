#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

/// One subtask of an operator in a checkpoint.
struct subtask_metadata {
  bool is_finished = false;  ///< It had ended before; then there is no state.
  stored_operator_state state;
  /// Batches that were on their way to or from the whole task; at the head of its chain.
  std::optional<stored_bytes> in_flight{};
  /// It had emitted everything, and only waited for this checkpoint.
  bool operators_finished = false;

  bool operator==(const subtask_metadata&) const = default;
};

/// One operator in a checkpoint.
struct operator_metadata {
  std::string uid;
  std::string name;  ///< For messages.
  std::uint32_t max_parallelism = 0;
  std::optional<std::vector<std::byte>> coordinator;  ///< The snapshot of its coordinator.
  std::vector<subtask_metadata> subtasks;

  bool operator==(const operator_metadata&) const = default;
};

/// What is in a checkpoint or savepoint, and where (Flink's CheckpointMetadata). Written last: a
/// directory without it holds no checkpoint. docs/checkpoint-format.md describes it.
struct checkpoint_metadata {
  job_id job;
  std::string job_name{};
  checkpoint_id checkpoint;
  checkpoint_kind kind = checkpoint_kind::checkpoint;
  std::uint64_t triggered_wall_ms = 0;
  std::vector<operator_metadata> operators{};
  /// Descriptions of the types in the state, which has but their fingerprints; ascending.
  std::vector<std::string> types{};
  /// If batches were on their way, which job they are for (`shape_of`); else 0.
  std::uint64_t shape = 0;

  bool operator==(const checkpoint_metadata&) const = default;
};

/// The file in a checkpoint's directory that holds it.
inline constexpr std::string_view metadata_file_name = "_metadata";

std::string to_json(const checkpoint_metadata& metadata);
/// `invalid_data`, with `path` and the place, for what `to_json` did not write, or what was changed
/// since.
result<checkpoint_metadata> parse_checkpoint_metadata(std::string_view text,
                                                      const std::string& path);

}  // namespace millrace
