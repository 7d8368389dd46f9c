#include "millrace/checkpoint/snapshot_directory.hpp"

#include <set>
#include <utility>
#include <vector>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_key_groups.hpp"
#include "millrace/core/fingerprint.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

/// Of a metadata file that is being written.
constexpr std::string_view unfinished_suffix = ".part";
/// Beyond this it is no metadata of ours.
constexpr std::uint64_t metadata_bytes_max = std::uint64_t{1} << 30;

}  // namespace

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

namespace {

result<checkpoint_metadata> load_metadata(file_system& files, const std::string& path,
                                          const std::string& location) {
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

}  // namespace

result<checkpoint_metadata> load_checkpoint(file_system& files, const std::string& location) {
  return load_metadata(
      files, snapshot_directory_of(location) + "/" + std::string(metadata_file_name), location);
}

namespace {

status check_stored(file_system& files, const std::string& location, bool opens_databases) {
  const auto metadata = load_checkpoint(files, location);
  if (!metadata) return tl::unexpected(metadata.error());
  const auto directory = snapshot_directory_of(location);
  const auto check_piece = [&](const stored_bytes& piece) {
    return read_stored_blocks({files, directory}, piece, [](byte_view) { return status(); });
  };
  const auto check_keyed = [&](const operator_metadata& op, const stored_keyed_state& keyed) {
    auto done = check_piece(keyed.bytes);
    if (!keyed.database) return done;
    for (const auto& file : keyed.database->files)
      done = done.and_then([&] { return check_piece(file.bytes); });
    if (!opens_databases) return done;
    return done.and_then([&] {
      return check_database({files, directory}, keyed).map_error([&](const error& why) {
        return error{why.code, "a state database of operator '" + op.name + "' (uid " + op.uid +
                                   ") in checkpoint " +
                                   std::to_string(metadata->checkpoint.number) +
                                   " can't be opened: " + why.message};
      });
    });
  };
  for (const auto& op : metadata->operators)
    for (const auto& subtask : op.subtasks) {
      status done;
      if (subtask.state.keyed) done = check_keyed(op, *subtask.state.keyed);
      if (done && subtask.state.operators) done = check_piece(*subtask.state.operators);
      if (done && subtask.in_flight) done = check_piece(*subtask.in_flight);
      if (!done) return done;
    }
  return {};
}

}  // namespace

status check_snapshot(file_system& files, const std::string& location) {
  return check_stored(files, location, true);
}

status check_snapshot_files(file_system& files, const std::string& location) {
  return check_stored(files, location, false);
}

status remove_snapshot(file_system& files, const std::string& directory) {
  const auto path = directory + "/" + std::string(metadata_file_name);
  const auto unfinished = path + std::string(unfinished_suffix);
  auto metadata = load_checkpoint(files, directory);
  if (!metadata && metadata.error().code == errc::not_found)
    metadata = load_metadata(files, unfinished, directory);  // of one that was removed in part
  const auto remove_if_empty = [&]() -> status {
    const auto others = files.list(directory);
    return others && others->empty() ? fine_if_missing(files.remove(directory)) : status();
  };
  if (!metadata)
    return metadata.error().code == errc::not_found ? remove_if_empty()
                                                    : tl::unexpected(metadata.error());
  std::set<std::string> names;
  for (const auto& op : metadata->operators)
    for (const auto& subtask : op.subtasks) {
      const auto& state = subtask.state;
      if (state.keyed) names.insert(state.keyed->bytes.file);
      if (state.keyed && state.keyed->database)
        for (const auto& file : state.keyed->database->files)
          if (!is_shared_file(file.bytes.file)) names.insert(file.bytes.file);
      if (state.operators) names.insert(state.operators->file);
      if (subtask.in_flight) names.insert(subtask.in_flight->file);
    }
  names.erase(std::string());
  // First what makes it a snapshot, so that one that is half removed is none. What it had is there
  // to the end, for who is to remove the rest.
  auto done = fine_if_missing(files.rename(path, unfinished)).map([] {
    pass(kill_point::claimed_unnamed);
  });
  for (const auto& name : names)
    done = done.and_then([&] { return fine_if_missing(files.remove(directory + "/" + name)); })
               .map([] { pass(kill_point::claimed_removed); });
  done = done.and_then([&] {
    return remove_shared_unless_used(files, parent_of(directory), shared_files_of(*metadata));
  });
  return done.and_then([&] { return fine_if_missing(files.remove(unfinished)); })
      .and_then(remove_if_empty);
}

status remove_snapshot_directory(file_system& files, const std::string& directory) {
  // First what makes it a snapshot, so that one that is half removed is none.
  return fine_if_missing(files.remove(directory + "/" + std::string(metadata_file_name)))
      .map([] { pass(kill_point::snapshot_unnamed); })
      .and_then([&] { return remove_tree(files, directory); })
      .map([] { pass(kill_point::snapshot_removed); });
}

}  // namespace millrace
