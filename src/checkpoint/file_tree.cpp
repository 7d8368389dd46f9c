#include "millrace/checkpoint/file_tree.hpp"

namespace millrace {

namespace {

/// Somebody who does not know yet may still be making files: each a few, and none where there is no
/// directory any more.
constexpr int rounds_max = 16;

}  // namespace

status fine_if_missing(status done) {
  if (!done && done.error().code == errc::not_found) return {};
  return done;
}

status remove_tree(file_system& files, const std::string& directory) {
  status removed;
  for (int round = 0; round < rounds_max; ++round) {
    const auto entries = files.list(directory);
    if (!entries) return fine_if_missing(tl::unexpected(entries.error()));
    if (entries->empty() && round > 0) return removed;  // it is not for what is in it
    for (const auto& entry : *entries) {
      removed = entry.is_directory ? remove_tree(files, entry.path)
                                   : fine_if_missing(files.remove(entry.path));
      if (!removed) return removed;
    }
    removed = fine_if_missing(files.remove(directory));
    if (removed) return removed;
  }
  return removed;
}

status make_lasting_directory(file_system& files, const std::string& path) {
  if (files.stat(path)) return {};
  const auto parent = parent_of(path);
  if (parent != path)
    if (auto made = make_lasting_directory(files, parent); !made) return made;
  return files.create_directories(path).and_then([&] { return files.sync_directory(parent); });
}

std::string last_part_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace millrace
