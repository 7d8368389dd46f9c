#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/key_group.hpp"
#include "millrace/state/state_info.hpp"

// Handles to state that is stored: what acknowledgements and the metadata of a checkpoint hold
// instead of the state itself (Flink's StreamStateHandle, KeyGroupsStateHandle and
// TaskStateSnapshot).

namespace millrace {

/// Bytes that are kept in the handle itself, or are a piece of a file.
struct stored_bytes {
  /// Relative to the directory of the metadata; empty: kept here. A shared file is
  /// "../shared/<n>/<name>", where n is the checkpoint that has stored it.
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t checksum = 0;  ///< XXH3_64bits of them.
  std::vector<std::byte> kept;

  bool operator==(const stored_bytes&) const = default;
};

/// A file of a database.
struct stored_database_file {
  std::string name;  ///< As the database calls it.
  stored_bytes bytes;

  bool operator==(const stored_database_file&) const = default;
};

/// A database with keyed state of one subtask of an operator, as `rocksdb_state_backend` has it
/// (Flink's IncrementalRemoteKeyedStateHandle).
struct stored_database {
  std::vector<state_info> tables;           ///< What it has, in the order of their names.
  std::vector<stored_database_file> files;  ///< In the order of their names.

  bool operator==(const stored_database&) const = default;
};

/// The keyed state of one subtask of an operator: its key groups one behind the other. Of a native
/// snapshot, with what is not in the database; each_key_group reads either form.
struct stored_keyed_state {
  stored_bytes bytes;
  std::uint32_t first_group = 0;
  std::vector<std::uint64_t> ends;       ///< Where each group ends, from the begin of `bytes`.
  std::vector<std::uint64_t> checksums;  ///< Of each group, so that it can be read alone.
  std::optional<stored_database> database;

  key_group_range groups() const noexcept {
    return {first_group, first_group + static_cast<std::uint32_t>(ends.size()) - 1};
  }
  bool operator==(const stored_keyed_state&) const = default;
};

/// The state of one operator of one subtask.
struct stored_operator_state {
  std::optional<stored_keyed_state> keyed;
  std::optional<stored_bytes> operators;  ///< A `subtask_operator_state`, by codec.

  bool operator==(const stored_operator_state&) const = default;
};

/// The state of one subtask.
struct stored_task_state {
  bool operators_finished = false;
  std::vector<stored_operator_state> operators;  ///< By operator index of the vertex.
  std::optional<stored_bytes> in_flight;         ///< Batches on their way, by in_flight_state.
  std::uint64_t bytes = 0;                       ///< All of it, wherever it is.
  std::uint64_t stored_anew = 0;                 ///< Of them, what its base did not have.
  /// Descriptions of the types that it has, as far as its task knows them.
  std::vector<std::string> types;

  bool operator==(const stored_task_state&) const = default;
};

}  // namespace millrace
