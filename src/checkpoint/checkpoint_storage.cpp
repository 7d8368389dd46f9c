#include "millrace/checkpoint/checkpoint_storage.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "millrace/checkpoint/state_file.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

constexpr std::string_view directory_prefix = "chk-";
/// Of a metadata file that is being written.
constexpr std::string_view unfinished_suffix = ".part";
/// Beyond this it is no metadata of ours.
constexpr std::uint64_t metadata_bytes_max = std::uint64_t{1} << 30;

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// The number of "…/chk-<n>".
std::optional<checkpoint_id> checkpoint_of(const std::string& path) {
  const auto name = name_of(path);
  if (!name.starts_with(directory_prefix)) return std::nullopt;
  checkpoint_id id;
  const char* end = name.data() + name.size();
  const auto [rest, code] = std::from_chars(name.data() + directory_prefix.size(), end, id.number);
  if (code != std::errc{} || rest != end || !id) return std::nullopt;
  return id;
}

status unless_missing(status done) {
  if (!done && done.error().code == errc::not_found) return {};
  return done;
}

/// With what is in it. Fine if it is not there.
status remove_tree(file_system& files, const std::string& directory) {
  auto entries = files.list(directory);
  if (!entries) return unless_missing(tl::unexpected(entries.error()));
  for (const auto& entry : *entries) {
    auto removed = entry.is_directory ? remove_tree(files, entry.path)
                                      : unless_missing(files.remove(entry.path));
    if (!removed) return removed;
  }
  return unless_missing(files.remove(directory));
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
  for (const auto& each : pieces) state.bytes += each.bytes.size();
  return state;
}

}  // namespace

file_checkpoint_storage::file_checkpoint_storage(std::shared_ptr<file_system> files,
                                                 std::string directory,
                                                 std::uint64_t memory_threshold_bytes)
    : files_(std::move(files)),
      directory_(std::move(directory)),
      memory_threshold_bytes_(memory_threshold_bytes) {}

std::string file_checkpoint_storage::location_of(checkpoint_id checkpoint) const {
  return directory_ + "/" + std::string(directory_prefix) + std::to_string(checkpoint.number);
}

status file_checkpoint_storage::begin(checkpoint_id checkpoint) {
  const auto path = location_of(checkpoint);
  return remove_tree(*files_, path)
      .and_then([&] { return files_->create_directories(path); })
      .and_then([&] { return files_->sync_directory(directory_); });
}

result<stored_task_state> file_checkpoint_storage::store(const execution_attempt_id& who,
                                                         const task_snapshot& snapshot) {
  std::vector<piece> pieces;
  auto state = lay_out(snapshot, pieces);
  if (state.bytes < memory_threshold_bytes_ || pieces.empty()) {
    for (auto& each : pieces) *each.into = keep_bytes(std::move(each.bytes));
    return state;
  }
  const auto name = "v" + std::to_string(who.vertex) + "-s" + std::to_string(who.subtask) + "-a" +
                    std::to_string(who.attempt) + ".state";
  auto file = state_file_writer::open(*files_, location_of(snapshot.cut.checkpoint), name);
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

status file_checkpoint_storage::complete(const checkpoint_metadata& metadata) {
  const auto directory = location_of(metadata.checkpoint);
  const auto path = directory + "/" + std::string(metadata_file_name);
  const auto unfinished = path + std::string(unfinished_suffix);
  const auto text = to_json(metadata);
  auto file = files_->open_writer(unfinished, write_mode::truncate);
  if (!file) return tl::unexpected(file.error());
  return (*file)
      ->append(std::as_bytes(std::span(text)))
      .and_then([&] { return (*file)->sync(); })
      .and_then([&] { return (*file)->close(); })
      .and_then([&] { return files_->rename(unfinished, path); })
      .and_then([&] { return files_->sync_directory(directory); });
}

status file_checkpoint_storage::discard(checkpoint_id checkpoint) {
  const auto directory = location_of(checkpoint);
  // First what makes it a checkpoint, so that one that is half removed is none.
  return unless_missing(files_->remove(directory + "/" + std::string(metadata_file_name)))
      .and_then([&] { return remove_tree(*files_, directory); });
}

result<std::vector<checkpoint_id>> file_checkpoint_storage::completed() {
  std::vector<checkpoint_id> found;
  auto entries = files_->list(directory_);
  if (!entries) {
    if (entries.error().code == errc::not_found) return found;
    return tl::unexpected(entries.error());
  }
  for (const auto& entry : *entries) {
    const auto id = checkpoint_of(entry.path);
    if (id && files_->stat(entry.path + "/" + std::string(metadata_file_name)))
      found.push_back(*id);
  }
  std::sort(found.begin(), found.end());
  return found;
}

status file_checkpoint_storage::clean_up(std::span<const checkpoint_id> keep) {
  auto entries = files_->list(directory_);
  if (!entries) return unless_missing(tl::unexpected(entries.error()));
  for (const auto& entry : *entries) {
    const auto id = checkpoint_of(entry.path);
    if (!id || std::find(keep.begin(), keep.end(), *id) != keep.end()) continue;
    if (auto removed = discard(*id); !removed) return removed;
  }
  if (!keep.empty()) return {};
  return unless_missing(files_->remove(directory_));
}

result<checkpoint_metadata> load_checkpoint(file_system& files, const std::string& location) {
  auto path = location;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (name_of(path) != metadata_file_name) path += "/" + std::string(metadata_file_name);
  auto text = read_file(files, path, metadata_bytes_max);
  if (!text) {
    if (text.error().code == errc::not_found)
      return fail(errc::not_found, "there is no checkpoint or savepoint at '" + location + "': '" +
                                       path + "' does not exist");
    return tl::unexpected(text.error());
  }
  return parse_checkpoint_metadata(*text, path);
}

}  // namespace millrace
