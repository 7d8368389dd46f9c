#include "millrace/checkpoint/checkpoint_storage.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

constexpr std::string_view directory_prefix = "chk-";

/// The number of "…/chk-<n>".
std::optional<checkpoint_id> checkpoint_of(const std::string& path) {
  const auto name = last_part_of(path);
  if (!name.starts_with(directory_prefix)) return std::nullopt;
  checkpoint_id id;
  const char* end = name.data() + name.size();
  const auto [rest, code] = std::from_chars(name.data() + directory_prefix.size(), end, id.number);
  if (code != std::errc{} || rest != end || !id) return std::nullopt;
  return id;
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
  return remove_snapshot_directory(*files_, path)
      .and_then([&] { return make_lasting_directory(*files_, path); })
      .and_then([&] { return root(); })
      .map([] { pass(kill_point::checkpoint_begun); });
}

/// Who has made the job's directory may have died, or failed, before it was to last.
status file_checkpoint_storage::root() {
  if (is_rooted_) return {};
  return files_->sync_directory(parent_of(directory_)).map([&] { is_rooted_ = true; });
}

status file_checkpoint_storage::begin_incremental(checkpoint_id checkpoint, checkpoint_id base) {
  const auto path = shared_directory_of(location_of(checkpoint), checkpoint);
  {
    std::lock_guard lock(mutex_);
    shared_.begin(checkpoint, base);
  }
  return remove_tree(*files_, path)
      .and_then([&] { return make_lasting_directory(*files_, path); })
      .map([] { pass(kill_point::shared_begun); })
      .and_then([&] { return begin(checkpoint); });
}

status file_checkpoint_storage::recover(std::span<const checkpoint_id> completed) {
  status all;
  for (const auto& id : completed) {
    const auto metadata = load_checkpoint(*files_, location_of(id));
    std::lock_guard lock(mutex_);
    if (metadata) {
      shared_.recover(id, shared_files_of(*metadata));
    } else {
      shared_.lose_track_of(id);
      if (all) all = tl::unexpected(metadata.error());
    }
  }
  return all;
}

result<stored_task_state> file_checkpoint_storage::store(const execution_attempt_id& who,
                                                         const task_snapshot& snapshot,
                                                         const uploaded_files& base) {
  return store_task_state(*files_, location_of(snapshot.cut.checkpoint), who, snapshot,
                          memory_threshold_bytes_, base);
}

result<stored_task_state> file_checkpoint_storage::store_at(const std::string& directory,
                                                            const execution_attempt_id& who,
                                                            const task_snapshot& snapshot) {
  return store_task_state(*files_, directory, who, snapshot, memory_threshold_bytes_);
}

status file_checkpoint_storage::complete(const checkpoint_metadata& metadata) {
  const auto done = complete_snapshot(*files_, location_of(metadata.checkpoint), metadata);
  if (!done) return done;
  const auto unused = [&] {
    std::lock_guard lock(mutex_);
    return shared_.complete(metadata.checkpoint, shared_files_of(metadata));
  }();
  // Complete it is: what stays behind is in nobody's way, and goes with the job at last.
  if (auto removed = remove_shared(*files_, directory_, unused); !removed)
    log_event(log_level::warn, "cannot remove files that no checkpoint needs any more",
              {{"directory", directory_}, {"reason", removed.error().message}});
  return {};
}

void file_checkpoint_storage::give_up(checkpoint_id checkpoint) {
  std::lock_guard lock(mutex_);
  shared_.give_up(checkpoint);
}

status file_checkpoint_storage::discard(checkpoint_id checkpoint) {
  // Nobody goes back to it any more, whether all of it can be removed or not.
  const auto removed = remove_snapshot_directory(*files_, location_of(checkpoint));
  const auto unused = [&] {
    std::lock_guard lock(mutex_);
    return shared_.drop(checkpoint);
  }();
  const auto shared_removed = remove_shared(*files_, directory_, unused);
  return removed ? shared_removed : removed;
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
  auto done = remove_leftovers(keep, {std::numeric_limits<std::uint64_t>::max()});
  if (!done || !keep.empty()) return done;
  const auto removed = files_->remove(directory_);
  if (!removed && removed.error().code == errc::not_found) return {};
  return removed;
}

status file_checkpoint_storage::remove_leftovers(std::span<const checkpoint_id> keep,
                                                 checkpoint_id last) {
  if (MILLRACE_MUTANT(successor_cleaned_up)) last = {std::numeric_limits<std::uint64_t>::max()};
  auto entries = files_->list(directory_);
  if (!entries && entries.error().code == errc::not_found) return {};
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& entry : *entries) {
    const auto id = checkpoint_of(entry.path);
    if (!id || *id > last || std::find(keep.begin(), keep.end(), *id) != keep.end()) continue;
    if (auto removed = discard(*id); !removed) return removed;
  }
  std::vector<std::string> needed;
  for (const auto& id : keep) {
    const auto metadata = load_checkpoint(*files_, location_of(id));
    // Of one that can't be read, nothing is known, nor of one that is gone: a later master may have
    // removed it, and have others that share its files.
    if (!metadata) return {};
    const auto its = shared_files_of(*metadata);
    if (MILLRACE_MUTANT(earlier_files_cleaned_up)) needed.clear();
    needed.insert(needed.end(), its.begin(), its.end());
  }
  return remove_shared_except(*files_, directory_, needed, last);
}

}  // namespace millrace
