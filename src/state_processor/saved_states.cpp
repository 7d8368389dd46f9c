#include "millrace/state_processor/saved_states.hpp"

#include <algorithm>

#include "millrace/checkpoint/stored_key_groups.hpp"
#include "millrace/state/key_group_sections.hpp"
#include "millrace/state_processor/saved_operator.hpp"

namespace millrace {

namespace {

/// Adds the names of the states that have entries in a key group.
status add_names(const encoded_key_group& saved, std::set<std::string>& names) {
  const auto states = states_in(saved);
  if (!states) return tl::unexpected(states.error());
  for (const auto& info : *states) names.insert(info.name);
  return {};
}

}  // namespace

status check_keyed_states(file_system& files, const std::string& directory,
                          const operator_metadata& op, const std::set<std::string>& wanted) {
  std::set<std::string> known;
  const auto has_all = [&] { return std::ranges::includes(known, wanted); };
  for (const auto& subtask : op.subtasks) {
    if (!subtask.state.keyed) continue;
    auto beside =
        *subtask.state.keyed;  // what its database, which need not be opened, does not have
    if (beside.database)
      for (const auto& table : beside.database->tables) known.insert(table.name);
    beside.database.reset();
    const auto groups = beside.groups();
    for (auto group = groups.first; group <= groups.last; ++group) {
      if (has_all()) return {};
      const auto read = read_key_groups({files, directory}, beside, {group, group});
      const auto added = read ? add_names(read->front(), known) : tl::unexpected(read.error());
      if (!added)
        return fail(added.error().code,
                    "the state of " + subject_of(op) + " can't be read: " + added.error().message);
    }
  }
  if (has_all() || known.empty()) return {};
  const auto missing =
      std::ranges::find_if(wanted, [&](const std::string& name) { return !known.contains(name); });
  std::string names;
  for (const auto& each : known) names += (names.empty() ? "'" : ", '") + each + "'";
  return fail(errc::invalid_argument, subject_of(op) + " has no keyed state '" + *missing +
                                          "' in the snapshot: those that it has are " + names);
}

}  // namespace millrace
