#include "millrace/checkpoint/snapshot_directory.hpp"

#include <set>
#include <utility>
#include <vector>

#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/known_types.hpp"
#include "millrace/state/key_group_sections.hpp"

namespace millrace {

namespace {

/// Of a metadata file that is being written.
constexpr std::string_view unfinished_suffix = ".part";
/// Beyond this it is no metadata of ours.
constexpr std::uint64_t metadata_bytes_max = std::uint64_t{1} << 30;

std::string last_part_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

status fine_if_missing(status done) {
  if (!done && done.error().code == errc::not_found) return {};
  return done;
}

/// With what is in it. Fine if it is not there.
status remove_tree(file_system& files, const std::string& directory) {
  auto entries = files.list(directory);
  if (!entries) return fine_if_missing(tl::unexpected(entries.error()));
  for (const auto& entry : *entries) {
    auto removed = entry.is_directory ? remove_tree(files, entry.path)
                                      : fine_if_missing(files.remove(entry.path));
    if (!removed) return removed;
  }
  return fine_if_missing(files.remove(directory));
}

/// What the types in a snapshot are, by the fingerprints that it has of them.
std::vector<std::string> types_of(const task_snapshot& snapshot) {
  std::set<std::uint64_t> fingerprints;
  for (const auto& op : snapshot.operators) {
    for (const auto& state : op.operator_state) fingerprints.insert(state.type);
    for (const auto& group : op.keyed_state) {
      if (group.bytes.empty()) continue;
      byte_reader in(group.bytes);
      const auto sections = read_key_group(in, group.group);
      if (!sections) continue;
      for (const auto& [info, entries] : *sections)
        fingerprints.insert(
            {info.key_type, info.namespace_type, info.map_key_type, info.value_type});
    }
  }
  for (const auto& each : snapshot.in_flight) fingerprints.insert(each.rows->fingerprint());
  std::set<std::string> descriptions;
  for (const auto fingerprint : fingerprints)
    if (auto known = known_description(fingerprint)) descriptions.insert(*std::move(known));
  return {descriptions.begin(), descriptions.end()};
}

/// One piece of state on its way to where it is kept.
struct piece {
  std::vector<std::byte> bytes;
  stored_bytes* into = nullptr;
};

/// The handles of a task's state, without the bytes, and the pieces that are to be stored.
stored_task_state lay_out(const task_snapshot& snapshot, std::vector<piece>& pieces) {
  stored_task_state state;
  state.operators_finished = snapshot.operators_finished;
  state.operators.resize(snapshot.operators.size());  // the pieces point into it
  for (std::size_t i = 0; i < snapshot.operators.size(); ++i) {
    const auto& from = snapshot.operators[i];
    auto& to = state.operators[i];
    if (!from.keyed_state.empty()) {
      auto& keyed = to.keyed.emplace();
      keyed.first_group = from.keyed_state.front().group;
      std::vector<std::byte> all;
      std::size_t size = 0;
      for (const auto& group : from.keyed_state) size += group.bytes.size();
      all.reserve(size);
      for (const auto& group : from.keyed_state) {
        all.insert(all.end(), group.bytes.begin(), group.bytes.end());
        keyed.ends.push_back(all.size());
        keyed.checksums.push_back(XXH3_64bits(group.bytes.data(), group.bytes.size()));
      }
      pieces.push_back({std::move(all), &keyed.bytes});
    }
    if (!from.operator_state.empty())
      pieces.push_back({encode_to_bytes(from.operator_state), &to.operators.emplace()});
  }
  if (!snapshot.in_flight.empty())
    pieces.push_back({encode_in_flight(snapshot.in_flight), &state.in_flight.emplace()});
  for (const auto& each : pieces) state.bytes += each.bytes.size();
  state.types = types_of(snapshot);
  return state;
}

}  // namespace

result<stored_task_state> store_task_state(file_system& files, const std::string& directory,
                                           const execution_attempt_id& who,
                                           const task_snapshot& snapshot,
                                           std::uint64_t memory_threshold_bytes) {
  std::vector<piece> pieces;
  auto state = lay_out(snapshot, pieces);
  if (state.bytes < memory_threshold_bytes || pieces.empty()) {
    for (auto& each : pieces) *each.into = keep_bytes(std::move(each.bytes));
    return state;
  }
  const auto name = "v" + std::to_string(who.vertex) + "-s" + std::to_string(who.subtask) + "-a" +
                    std::to_string(who.attempt) + ".state";
  auto file = state_file_writer::open(files, directory, name);
  if (!file) return tl::unexpected(file.error());
  for (auto& each : pieces) {
    auto where = file->append(each.bytes);
    if (!where) return tl::unexpected(where.error());
    *each.into = std::move(*where);
    each.bytes = {};
  }
  if (auto done = file->finish(); !done) return tl::unexpected(done.error());
  return state;
}

status complete_snapshot(file_system& files, const std::string& directory,
                         const checkpoint_metadata& metadata) {
  const auto path = directory + "/" + std::string(metadata_file_name);
  const auto unfinished = path + std::string(unfinished_suffix);
  const auto text = to_json(metadata);
  auto file = files.open_writer(unfinished, write_mode::truncate);
  if (!file) return tl::unexpected(file.error());
  return (*file)
      ->append(std::as_bytes(std::span(text)))
      .map([] { pass(kill_point::metadata_written); })
      .and_then([&] { return (*file)->sync(); })
      .and_then([&] { return (*file)->close(); })
      .map([] { pass(kill_point::metadata_synced); })
      .and_then([&] { return files.rename(unfinished, path); })
      .map([] { pass(kill_point::metadata_renamed); })
      .and_then([&] { return files.sync_directory(directory); })
      .map([] { pass(kill_point::metadata_stored); });
}

std::string snapshot_directory_of(const std::string& location) {
  auto path = location;
  if (last_part_of(path) == metadata_file_name) path.erase(path.rfind(metadata_file_name));
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.empty() ? "." : path;
}

result<checkpoint_metadata> load_checkpoint(file_system& files, const std::string& location) {
  const auto path = snapshot_directory_of(location) + "/" + std::string(metadata_file_name);
  auto text = read_file(files, path, metadata_bytes_max);
  if (!text) {
    if (text.error().code == errc::not_found)
      return fail(errc::not_found, "there is no checkpoint or savepoint at '" + location + "': '" +
                                       path + "' does not exist");
    return tl::unexpected(text.error());
  }
  auto metadata = parse_checkpoint_metadata(*text, path);
  if (metadata)
    for (const auto& description : metadata->types) fingerprint_of_description(description);
  return metadata;
}

status check_snapshot(file_system& files, const std::string& location) {
  const auto metadata = load_checkpoint(files, location);
  if (!metadata) return tl::unexpected(metadata.error());
  const auto directory = snapshot_directory_of(location);
  const auto check = [&](const stored_bytes& piece) -> status {
    const auto read = read_stored(files, directory, piece);
    return read ? status() : tl::unexpected(read.error());
  };
  for (const auto& op : metadata->operators)
    for (const auto& subtask : op.subtasks) {
      status done;
      if (subtask.state.keyed) done = check(subtask.state.keyed->bytes);
      if (done && subtask.state.operators) done = check(*subtask.state.operators);
      if (!done) return done;
    }
  return {};
}

status remove_snapshot(file_system& files, const std::string& directory) {
  const auto metadata = load_checkpoint(files, directory);
  if (!metadata)
    return metadata.error().code == errc::not_found ? status() : tl::unexpected(metadata.error());
  std::set<std::string> names;
  for (const auto& op : metadata->operators)
    for (const auto& [is_finished, state, in_flight] : op.subtasks) {
      if (state.keyed) names.insert(state.keyed->bytes.file);
      if (state.operators) names.insert(state.operators->file);
      if (in_flight) names.insert(in_flight->file);
    }
  names.erase(std::string());
  // First what makes it a snapshot, so that one that is half removed is none.
  auto done = fine_if_missing(files.remove(directory + "/" + std::string(metadata_file_name)));
  for (const auto& name : names)
    done = done.and_then([&] { return fine_if_missing(files.remove(directory + "/" + name)); });
  if (!done) return done;
  const auto others = files.list(directory);
  return others && others->empty() ? fine_if_missing(files.remove(directory)) : done;
}

status remove_snapshot_directory(file_system& files, const std::string& directory) {
  // First what makes it a snapshot, so that one that is half removed is none.
  return fine_if_missing(files.remove(directory + "/" + std::string(metadata_file_name)))
      .map([] { pass(kill_point::snapshot_unnamed); })
      .and_then([&] { return remove_tree(files, directory); })
      .map([] { pass(kill_point::snapshot_removed); });
}

}  // namespace millrace
