#include "millrace/checkpoint/file_tree.hpp"

namespace millrace {

status fine_if_missing(status done) {
  if (!done && done.error().code == errc::not_found) return {};
  return done;
}

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

std::string last_part_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace millrace
