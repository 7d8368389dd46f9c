#include "millrace/core/chunked_bytes.hpp"

#include <algorithm>

namespace millrace {

void chunked_bytes::append(shared_bytes piece) {
  if (piece.part.empty()) return;
  const auto bytes = piece.part.size();
  pieces_.push_back(std::move(piece));
  size_ += bytes;
}

void chunked_bytes::append(const chunked_bytes& other) {
  pieces_.insert(pieces_.end(), other.pieces_.begin(), other.pieces_.end());
  size_ += other.size_;
}

shared_bytes chunked_bytes::part(std::uint64_t offset, std::uint64_t length) const {
  if (offset >= size_) return {};
  length = std::min(length, size_ - offset);
  auto first = pieces_.begin();
  for (; offset >= first->part.size(); ++first) offset -= first->part.size();
  if (offset + length <= first->part.size())
    return {first->owner, first->part.subspan(offset, length)};
  std::vector<std::byte> copied;
  copied.reserve(length);
  for (; copied.size() < length; ++first, offset = 0) {
    const auto rest = first->part.subspan(offset);
    const auto taken = rest.first(std::min<std::uint64_t>(rest.size(), length - copied.size()));
    copied.insert(copied.end(), taken.begin(), taken.end());
  }
  return shared_bytes(std::move(copied));
}

bool chunked_bytes::operator==(const chunked_bytes& other) const {
  return size_ == other.size_ && std::ranges::equal(whole().part, other.whole().part);
}

}  // namespace millrace
