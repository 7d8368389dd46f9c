#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/state/redistribution.hpp"
#include "millrace/state/state_info.hpp"

// What is in a snapshot, for people and tools, without the code of its job. Types are what their
// descriptions say; "?" if the snapshot has none of them. All of this blocks.

namespace millrace {

struct keyed_state_summary {
  std::string name;
  state_kind kind = state_kind::value;
  bool has_ttl = false;
  std::string key_type;
  std::string namespace_type;
  std::string map_key_type;  ///< Empty unless it is a map.
  std::string value_type;    ///< Empty if it has no values.
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};

struct operator_state_summary {
  std::string name;
  operator_state_mode mode = operator_state_mode::split;
  std::string type;
  std::uint64_t elements = 0;  ///< Of all subtasks.
  std::uint64_t bytes = 0;
};

struct operator_summary {
  std::string uid;
  std::string name;
  std::uint32_t parallelism = 0;
  std::uint32_t max_parallelism = 0;
  std::uint32_t finished_subtasks = 0;
  std::uint64_t coordinator_bytes = 0;
  /// That an unaligned checkpoint has of the tasks which begin with this operator.
  std::uint64_t in_flight_records = 0;
  /// By name. A state is there once for each type that it has: subtasks that did not ask for it
  /// since its type has changed keep what they have by the old one.
  std::vector<keyed_state_summary> keyed;
  std::vector<operator_state_summary> operators;  ///< Likewise.
  std::vector<std::uint64_t> keys_per_group;      ///< Distinct keys; empty without keyed state.
};

struct snapshot_summary {
  checkpoint_metadata metadata;
  std::vector<operator_summary> operators;
};

/// Reads all of it. `invalid_data` with the path of what is damaged.
result<snapshot_summary> inspect_snapshot(file_system& files, const std::string& location);

/// Calls `line` with one JSON document for each entry of keyed state, element of operator state,
/// and snapshot of a coordinator; false from it ends this. Values that only their job's code can
/// read are `{"hex": "…"}`.
status dump_snapshot(file_system& files, const std::string& location,
                     const std::function<bool(const std::string&)>& line);

/// "list state", "union list state", "broadcast state".
std::string_view to_string(operator_state_mode mode) noexcept;

}  // namespace millrace
