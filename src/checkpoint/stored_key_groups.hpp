#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/encoded_key_group.hpp"

namespace millrace {

class database_key_groups;
class stored_database_files;

/// Reads stored keyed state in canonical form (`keyed_state_backend_base` describes it), whatever
/// form is stored, group by group. A database is opened by the first read, with all its files
/// checked, and stays open. Blocks; one call at a time.
class stored_key_group_reader {
 public:
  /// The metadata were loaded by load_checkpoint, so that their types are known. The file system
  /// and `state` outlive it.
  stored_key_group_reader(snapshot_source from, const stored_keyed_state& state);
  ~stored_key_group_reader();

  /// A group that the state has; without bytes if it has no entries.
  result<std::vector<std::byte>> read(std::uint32_t group);

 private:
  status open();

  snapshot_source from_;
  const stored_keyed_state& state_;
  std::shared_ptr<stored_database_files> source_;  // null if there is no database, or not yet
  std::unique_ptr<database_key_groups> database_;
};

/// The same for some groups in their order: calls `visit(group, bytes)` for each of `groups`, which
/// the state must have. What `visit` fails with ends it. Blocks.
status each_key_group(
    const snapshot_source& from, const stored_keyed_state& state, key_group_range groups,
    const std::function<status(std::uint32_t group, std::vector<std::byte> bytes)>& visit);

/// All of these groups at once.
result<std::vector<encoded_key_group>> read_key_groups(const snapshot_source& from,
                                                       const stored_keyed_state& state,
                                                       key_group_range groups);

/// Opens the database of `state`, if it has one, and reads a key group: its files may be as they
/// were stored and yet be no database. `invalid_data` or `not_found` then. Blocks.
status check_database(const snapshot_source& from, const stored_keyed_state& state);

/// Appends all groups of `state`, in canonical form and one at a time in memory, to a file; the
/// handle of what was written.
result<stored_keyed_state> copy_key_groups(const snapshot_source& from,
                                           const stored_keyed_state& state, state_file_writer& to);

}  // namespace millrace
