#include "millrace/checkpoint/snapshot_inspection.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_key_groups.hpp"
#include "millrace/checkpoint/value_json.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/hex.hpp"
#include "millrace/core/known_types.hpp"
#include "millrace/state/key_group_sections.hpp"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;

std::string type_text(std::uint64_t fingerprint) {
  return fingerprint == 0 ? std::string() : known_description(fingerprint).value_or("?");
}

tl::unexpected<error> in_operator(const operator_metadata& op, const error& why) {
  return fail(why.code, "in the state of operator '" + op.name + "': " + why.message);
}

/// Visits all state of one operator, a key group or a subtask at a time.
class state_walk {
 public:
  state_walk(file_system& files, std::string directory, const operator_metadata& op)
      : files_(files), directory_(std::move(directory)), op_(op) {}

  /// `visit(group, section)` returns false to end this.
  template <class Visit>
  status each_section(Visit&& visit) {
    for (const auto& subtask : op_.subtasks) {
      const auto& state = subtask.state;
      if (!state.keyed) continue;
      bool is_wanted = true;
      const auto done =
          each_key_group({files_, directory_}, *state.keyed, state.keyed->groups(),
                         [&](std::uint32_t group, const std::vector<std::byte>& bytes) -> status {
                           if (bytes.empty()) return {};
                           byte_reader in(bytes);
                           const auto sections = read_key_group(in, group);
                           if (!sections) return tl::unexpected(sections.error());
                           for (const auto& section : *sections)
                             if (!(is_wanted = visit(group, section)))
                               return fail(errc::cancelled, "nothing more is wanted");
                           return {};
                         });
      if (!is_wanted) return {};
      if (!done) return in_operator(op_, done.error());
    }
    return {};
  }

  /// `visit(subtask, state)` likewise.
  template <class Visit>
  status each_operator_state(Visit&& visit) {
    for (std::uint32_t s = 0; s < op_.subtasks.size(); ++s) {
      const auto& stored = op_.subtasks[s].state.operators;
      if (!stored) continue;
      const auto bytes = read_stored({files_, directory_}, *stored);
      if (!bytes) return in_operator(op_, bytes.error());
      const auto states = decode_bytes<subtask_operator_state>(*bytes);
      if (!states) return in_operator(op_, states.error());
      for (const auto& state : *states)
        if (!visit(s, state)) return {};
    }
    return {};
  }

  /// `visit(batches)`: what was on its way to and from each subtask.
  template <class Visit>
  status each_in_flight(Visit&& visit) {
    for (const auto& subtask : op_.subtasks) {
      if (!subtask.in_flight) continue;
      const auto batches =
          read_stored({files_, directory_}, *subtask.in_flight).and_then([](const auto& bytes) {
            return decode_in_flight(bytes);
          });
      if (!batches) return in_operator(op_, batches.error());
      visit(*batches);
    }
    return {};
  }

 private:
  file_system& files_;
  std::string directory_;
  const operator_metadata& op_;
};

result<operator_summary> summary_of(file_system& files, const std::string& directory,
                                    const operator_metadata& op) {
  operator_summary summary;
  summary.uid = op.uid;
  summary.name = op.name;
  summary.parallelism = static_cast<std::uint32_t>(op.subtasks.size());
  summary.max_parallelism = op.max_parallelism;
  summary.coordinator_bytes = op.coordinator ? op.coordinator->size() : 0;
  for (const auto& subtask : op.subtasks) summary.finished_subtasks += subtask.is_finished;
  // Of one name there may be several, by types old and new; those of keyed state are told apart by
  // their encoded state_info.
  std::map<std::pair<std::string, std::vector<std::byte>>, keyed_state_summary> keyed;
  std::map<std::tuple<std::string, operator_state_mode, std::uint64_t, std::uint32_t>,
           operator_state_summary>
      operators;
  std::map<std::uint32_t, std::set<std::vector<std::byte>>> keys;
  bool is_intact = true;
  state_walk walk(files, directory, op);
  auto done = walk.each_section([&](std::uint32_t group, const key_group_section& section) {
    const auto& info = section.info;
    auto& its = keyed[{info.name, encode_to_bytes(info)}];
    its = {info.name,
           info.kind,
           info.has_ttl,
           type_text(info.key_type),
           type_text(info.namespace_type),
           type_text(info.map_key_type),
           type_text(info.value_type),
           its.entries,
           its.bytes + section.entries.size()};
    byte_reader in(section.entries);
    encoded_entry entry;
    while (in.remaining() > 0 && get_entry(in, entry)) {
      ++its.entries;
      keys[group].insert({entry.key.begin(), entry.key.end()});
    }
    return is_intact = in.ok();
  });
  if (done)
    done = walk.each_operator_state([&](std::uint32_t, const saved_operator_state& state) {
      auto& its = operators[{state.name, state.mode, state.type, state.serializer_version}];
      its.name = state.name;
      its.mode = state.mode;
      its.type = type_text(state.type);
      its.elements += state.elements.size();
      for (const auto& each : state.elements) its.bytes += each.size();
      return true;
    });
  if (done)
    done = walk.each_in_flight([&](const in_flight_batches& batches) {
      for (const auto& batch : batches) summary.in_flight_records += batch.rows->size();
    });
  if (!done) return tl::unexpected(done.error());
  if (!is_intact)
    return in_operator(op, {errc::invalid_data, "an entry of its keyed state is malformed"});
  for (auto& [which, its] : keyed) summary.keyed.push_back(std::move(its));
  for (auto& [which, its] : operators) summary.operators.push_back(std::move(its));
  if (!summary.keyed.empty()) summary.keys_per_group.resize(op.max_parallelism);
  for (const auto& [group, its] : keys) summary.keys_per_group[group] = its.size();
  return summary;
}

/// A cell may begin with the time of its last touch.
std::string cell_type(const std::string& value, bool has_ttl) {
  return has_ttl ? "{i64," + value + "}" : value;
}

json keyed_value(const state_info& info, byte_view value) {
  switch (info.kind) {
    case state_kind::timers: {
      const auto timer = decode_bytes<std::pair<std::uint8_t, std::int64_t>>(value);
      if (!timer) return {{"hex", to_hex(value)}};
      return {{"time", timer->first == 1 ? "event" : "processing"}, {"at", timer->second}};
    }
    case state_kind::schedule:
      return value_json("i64", value);
    case state_kind::list:
      return value_json("vec<" + cell_type(type_text(info.value_type), info.has_ttl) + ">", value);
    default:
      return value_json(cell_type(type_text(info.value_type), info.has_ttl), value);
  }
}

/// What the elements of an operator state are, by the type of the container.
std::string element_type(const saved_operator_state& state) {
  const auto container = type_text(state.type);
  const auto inner = [&](std::string_view name) {
    return container.substr(name.size(), container.size() - name.size() - 1);
  };
  if (container.starts_with("vec<")) return inner("vec<");
  if (container.starts_with("map<")) return "{" + inner("map<") + "}";
  return "?";
}

std::string line_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string_view to_string(operator_state_mode mode) noexcept {
  switch (mode) {
    case operator_state_mode::split:
      return "list state";
    case operator_state_mode::unite:
    case operator_state_mode::unite_others:
      return "union list state";
    case operator_state_mode::broadcast:
      return "broadcast state";
  }
  return "state of an unknown kind";
}

result<snapshot_summary> inspect_snapshot(file_system& files, const std::string& location) {
  auto metadata = load_checkpoint(files, location);
  if (!metadata) return tl::unexpected(metadata.error());
  snapshot_summary all;
  const auto directory = snapshot_directory_of(location);
  for (const auto& op : metadata->operators) {
    auto summary = summary_of(files, directory, op);
    if (!summary) return tl::unexpected(summary.error());
    all.operators.push_back(*std::move(summary));
  }
  all.metadata = *std::move(metadata);
  return all;
}

status dump_snapshot(file_system& files, const std::string& location,
                     const std::function<bool(const std::string&)>& line) {
  const auto metadata = load_checkpoint(files, location);
  if (!metadata) return tl::unexpected(metadata.error());
  const auto directory = snapshot_directory_of(location);
  bool is_wanted = true;
  for (const auto& op : metadata->operators) {
    const json head{{"operator", op.name}, {"uid", op.uid}};
    const auto put = [&](json document) { return is_wanted = line(line_of(document)); };
    if (op.coordinator && is_wanted) {
      auto document = head;
      document["coordinator"] = {{"hex", to_hex(*op.coordinator)}};
      put(std::move(document));
    }
    state_walk walk(files, directory, op);
    if (!is_wanted) return {};
    auto done = walk.each_section([&](std::uint32_t group, const key_group_section& section) {
      const auto& info = section.info;
      byte_reader in(section.entries);
      encoded_entry entry;
      while (in.remaining() > 0 && get_entry(in, entry)) {
        auto document = head;
        document["state"] = info.name;
        document["kind"] = to_string(info.kind);
        document["key_group"] = group;
        document["key"] = value_json(type_text(info.key_type), entry.key);
        if (!entry.ns.empty())
          document["namespace"] = value_json(type_text(info.namespace_type), entry.ns);
        if (info.kind == state_kind::map)
          document["map_key"] = value_json(type_text(info.map_key_type), entry.map_key);
        document["value"] = keyed_value(info, entry.value);
        if (!put(std::move(document))) return false;
      }
      return in.ok();
    });
    if (done && is_wanted)
      done =
          walk.each_operator_state([&](std::uint32_t subtask, const saved_operator_state& state) {
            for (const auto& each : state.elements) {
              auto document = head;
              document["state"] = state.name;
              document["kind"] = to_string(state.mode);
              document["subtask"] = subtask;
              document["value"] = value_json(element_type(state), each);
              if (!put(std::move(document))) return false;
            }
            return true;
          });
    if (!done) return done;
    if (!is_wanted) return {};
  }
  return {};
}

}  // namespace millrace
