#include "millrace/actors/task_manager_artifact.hpp"

#include <algorithm>

namespace millrace {

status artifact_download::accept(const wire::artifact_chunk& chunk) {
  const auto refuse = [&](const std::string& what) {
    return fail(errc::protocol, "the master's chunk of job library " + sha256_ + " at byte " +
                                    std::to_string(offset_) + " " + what);
  };
  if (chunk.sha256 != sha256_) return refuse("belongs to " + chunk.sha256);
  if (chunk.offset != offset_) return refuse("starts at byte " + std::to_string(chunk.offset));
  if (started_ && chunk.size != size_) return refuse("changed the library's size");
  const auto left = chunk.size - std::min(offset_, chunk.size);
  if (chunk.bytes.size() > left) return refuse("goes past the library's end");
  if (chunk.bytes.size() > wire::artifact_chunk_bytes_max) return refuse("is too large");
  if (chunk.bytes.empty() && left != 0) return refuse("is empty");
  size_ = chunk.size;
  started_ = true;
  offset_ += chunk.bytes.size();
  return {};
}

bool is_artifact_name(std::string_view text) noexcept {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace millrace
