#include "millrace/core/file_digest.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

result<sha256_digest> sha256_of_file(file_system& files, const std::string& path) {
  auto reader = files.open_reader(path);
  if (!reader) return tl::unexpected(reader.error());
  sha256 hash;
  std::vector<std::byte> buffer(256 * 1024);
  for (std::uint64_t offset = 0;;) {
    const auto got = (*reader)->read_at(offset, buffer);
    if (!got) return tl::unexpected(got.error());
    hash.update(std::span(buffer).first(*got));
    offset += *got;
    if (*got < buffer.size()) return hash.finish();
  }
}

}  // namespace millrace
