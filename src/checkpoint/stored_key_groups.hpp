#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/encoded_key_group.hpp"

namespace millrace {

/// Reads key groups of stored keyed state in canonical form (`keyed_state_backend_base` describes
/// it), whatever form is stored, in their order: calls `visit(group, bytes)` for each of `groups`,
/// which the state must have; without bytes for one that has no entries. What `visit` fails with
/// ends it. `directory` is that of the metadata, which were loaded by load_checkpoint, so that
/// their types are known. Blocks.
status each_key_group(
    file_system& files, const std::string& directory, const stored_keyed_state& state,
    key_group_range groups,
    const std::function<status(std::uint32_t group, std::vector<std::byte> bytes)>& visit);

/// All of these groups at once.
result<std::vector<encoded_key_group>> read_key_groups(file_system& files,
                                                       const std::string& directory,
                                                       const stored_keyed_state& state,
                                                       key_group_range groups);

/// Appends all groups of `state`, in canonical form and one at a time in memory, to a file; the
/// handle of what was written.
result<stored_keyed_state> copy_key_groups(file_system& files, const std::string& directory,
                                           const stored_keyed_state& state, state_file_writer& to);

}  // namespace millrace
