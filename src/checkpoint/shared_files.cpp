#include "millrace/checkpoint/shared_files.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

/// The folder of a job that has them.
constexpr std::string_view shared_folder = "shared";
constexpr std::string_view handle_prefix = "../shared/";

std::string shared_root_of(const std::string& job_directory) {
  return job_directory + "/" + std::string(shared_folder);
}

/// A task that does not know yet that its checkpoint was given up may make a file at the very
/// moment; once the directory is gone, it can't any more.
status remove_directory(file_system& files, const std::string& path) {
  constexpr int attempts_max = 10;
  auto done = remove_tree(files, path);
  for (int i = 1; !done && i < attempts_max; ++i) done = remove_tree(files, path);
  return done;
}

/// The first error of several things that are all done.
void note(status& all, status done) {
  if (all && !done) all = std::move(done);
}

/// The checkpoint whose folder that is; 0 if it is none's.
checkpoint_id owner_of(std::string_view folder) {
  checkpoint_id owner;
  std::from_chars(folder.data(), folder.data() + folder.size(), owner.number);
  return owner;
}

}  // namespace

bool is_shared_file(std::string_view file) noexcept {
  if (!file.starts_with(handle_prefix)) return false;
  file.remove_prefix(handle_prefix.size());
  std::uint64_t number = 0;
  const auto [rest, code] = std::from_chars(file.data(), file.data() + file.size(), number);
  if (code != std::errc{} || number == 0) return false;
  file.remove_prefix(static_cast<std::size_t>(rest - file.data()));
  if (!file.starts_with('/')) return false;
  file.remove_prefix(1);
  return !file.empty() && file.find('/') == std::string_view::npos && file != "." && file != "..";
}

std::string shared_file_of(checkpoint_id checkpoint, const std::string& name) {
  return std::string(handle_prefix) + std::to_string(checkpoint.number) + "/" + name;
}

std::vector<std::string> shared_files_of(const checkpoint_metadata& metadata) {
  std::set<std::string> found;
  for (const auto& op : metadata.operators)
    for (const auto& subtask : op.subtasks) {
      const auto& keyed = subtask.state.keyed;
      if (!keyed || !keyed->database) continue;
      for (const auto& file : keyed->database->files)
        if (is_shared_file(file.bytes.file))
          found.insert(file.bytes.file.substr(handle_prefix.size()));
    }
  return {found.begin(), found.end()};
}

std::string shared_directory_of(const std::string& directory, checkpoint_id checkpoint) {
  return shared_root_of(parent_of(directory)) + "/" + std::to_string(checkpoint.number);
}

status remove_shared(file_system& files, const std::string& job_directory,
                     const shared_state_registry::removal& unused) {
  const auto root = shared_root_of(job_directory) + "/";
  status all;
  for (const auto& directory : unused.directories) {
    note(all, remove_directory(files, root + std::to_string(directory.number)));
    pass(kill_point::shared_removed);
  }
  for (const auto& file : unused.files) {
    note(all, fine_if_missing(files.remove(root + file)));
    pass(kill_point::shared_removed);
  }
  return all;
}

status remove_shared_except(file_system& files, const std::string& job_directory,
                            std::span<const std::string> needed, checkpoint_id last) {
  const auto root = shared_root_of(job_directory);
  const std::set<std::string_view> kept(needed.begin(), needed.end());
  const auto directories = files.list(root);
  if (!directories) return fine_if_missing(tl::unexpected(directories.error()));
  status all;
  bool is_empty = true;
  for (const auto& directory : *directories) {
    const auto name = last_part_of(directory.path) + "/";
    if (owner_of(name) > last) {
      is_empty = false;
      continue;
    }
    const auto first = kept.lower_bound(name);
    if (first == kept.end() || !first->starts_with(name)) {
      note(all, remove_directory(files, directory.path));
      pass(kill_point::shared_cleared);
      continue;
    }
    is_empty = false;
    const auto entries = files.list(directory.path);
    if (!entries) {
      note(all, tl::unexpected(entries.error()));
      continue;
    }
    for (const auto& entry : *entries) {
      if (kept.contains(name + last_part_of(entry.path))) continue;
      note(all, fine_if_missing(files.remove(entry.path)));
      pass(kill_point::shared_cleared);
    }
  }
  if (all && is_empty) all = fine_if_missing(files.remove(root));
  return all;
}

status remove_shared_unless_used(file_system& files, const std::string& job_directory,
                                 std::span<const std::string> unused) {
  if (unused.empty()) return {};
  std::set<std::string> left(unused.begin(), unused.end());
  const auto entries = files.list(job_directory);
  if (!entries) return fine_if_missing(tl::unexpected(entries.error()));
  for (const auto& entry : *entries) {
    if (!entry.is_directory || last_part_of(entry.path) == shared_folder) continue;
    const auto metadata = load_checkpoint(files, entry.path);
    if (!metadata && metadata.error().code == errc::not_found) continue;
    if (!metadata) return tl::unexpected(metadata.error());
    for (const auto& file : shared_files_of(*metadata)) left.erase(file);
  }
  const auto root = shared_root_of(job_directory);
  status all;
  std::set<std::string> touched;
  for (const auto& file : left) {
    note(all, fine_if_missing(files.remove(root + "/" + file)));
    pass(kill_point::claimed_removed);
    touched.insert(parent_of(file));
  }
  touched.insert("");
  // The inner ones first; with the last of them, the folder itself.
  for (auto name = touched.rbegin(); name != touched.rend(); ++name) {
    const auto directory = name->empty() ? root : root + "/" + *name;
    const auto others = files.list(directory);
    if (others && others->empty()) note(all, fine_if_missing(files.remove(directory)));
  }
  return all;
}

}  // namespace millrace
