#include "millrace/connectors/part_places.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "millrace/core/hash.hpp"

namespace millrace {

std::string job_token(const runtime_context& self) {
  const auto hash = key_hash(to_string(self.job()) + '\0' + self.operator_uid());
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max(slash, std::size_t{1}));
}

std::string file_name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string nearest_directory(file_system& files, std::string path) {
  while (path != directory_of(path) && !files.stat(path)) path = directory_of(path);
  return path;
}

status make_durable_directories(file_system& files, const std::string& directory,
                                const std::string& is_there) {
  if (auto ok = files.create_directories(directory); !ok) return ok;
  // What lies above `is_there` is not ours, and may be out of bounds.
  for (auto at = directory; at != is_there; at = directory_of(at))
    if (auto ok = files.sync_directory(directory_of(at)); !ok) return ok;
  return {};
}

}  // namespace millrace
