#include "millrace/core/file_system.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace millrace {

status file_system::link(const std::string& from, const std::string& to) {
  return fail(errc::io, "can't link '" + from + "' to '" + to + "': this file system has no links");
}

bool is_glob(std::string_view path) noexcept {
  return path.find_first_of("*?[") != std::string_view::npos;
}

result<std::vector<file_info>> glob(file_system& files, const std::string& pattern) {
  // Level by level: `found` are the paths that match the components so far.
  std::vector<file_info> found(1);
  found[0].is_directory = true;
  std::size_t at = 0;
  if (pattern.starts_with('/')) {
    found[0].path = "/";
    at = 1;
  }
  while (at < pattern.size()) {
    const std::size_t end = std::min(pattern.find('/', at), pattern.size());
    const std::string component = pattern.substr(at, end - at);
    at = end + 1;
    if (component.empty()) continue;
    std::vector<file_info> next;
    for (const file_info& parent : found) {
      if (!parent.is_directory) continue;
      const std::string prefix =
          parent.path.empty() || parent.path.ends_with('/') ? parent.path : parent.path + '/';
      if (!is_glob(component)) {
        auto info = files.stat(prefix + component);
        if (info) {
          next.push_back(*std::move(info));
        } else if (info.error().code != errc::not_found) {
          return tl::unexpected(std::move(info).error());
        }
        continue;
      }
      auto entries = files.list(prefix.empty() ? "." : parent.path);
      if (!entries) return tl::unexpected(std::move(entries).error());
      for (file_info& entry : *entries) {
        const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
        if (::fnmatch(component.c_str(), name.c_str(), FNM_PERIOD) != 0) continue;
        entry.path = prefix + name;
        next.push_back(std::move(entry));
      }
    }
    found = std::move(next);
  }
  if (pattern.empty()) found.clear();
  std::sort(found.begin(), found.end(),
            [](const file_info& a, const file_info& b) { return a.path < b.path; });
  return found;
}

result<std::string> read_file(file_system& files, const std::string& path,
                              std::uint64_t bytes_max) {
  auto reader = files.open_reader(path);
  if (!reader) return tl::unexpected(std::move(reader).error());
  const std::uint64_t size = (*reader)->size();
  if (size > bytes_max)
    return fail(errc::io, "can't read '" + path + "': it has " + std::to_string(size) +
                              " bytes, more than the " + std::to_string(bytes_max) + " allowed");
  std::string text(size, '\0');
  auto got = (*reader)->read_at(0, std::as_writable_bytes(std::span(text)));
  if (!got) return tl::unexpected(std::move(got).error());
  text.resize(*got);
  return text;
}

}  // namespace millrace
