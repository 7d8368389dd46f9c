#include "millrace/operators/sort_buffer.hpp"

#include <algorithm>

#include "millrace/core/assert.hpp"

namespace millrace {

sort_buffer::sort_buffer(std::size_t bytes_max)
    : bytes_max_(bytes_max),
      segment_bytes_(std::clamp<std::size_t>(bytes_max / 8, 256, std::size_t{256} * 1024)) {}

void sort_buffer::add(const sort_record& record) {
  // Segments never grow beyond what they were made for, so that nothing is copied and little is
  // kept that is not used. A record that is larger gets one of its own.
  const auto needed = sort_record_bytes_max(record);
  if (segments_.empty() || segments_.back().size() + needed > segment_bytes_) {
    std::vector<std::byte> room;
    room.reserve(std::max(segment_bytes_, needed));
    segments_.emplace_back(std::move(room));
  }
  auto& segment = segments_.back();
  const auto offset = segment.size();
  write_sort_record(segment, record);
  record_bytes_ += segment.size() - offset;
  index_.push_back({key_prefix(record.key), static_cast<std::uint32_t>(segments_.size() - 1),
                    static_cast<std::uint32_t>(offset)});
}

void sort_buffer::sort() {
  std::sort(index_.begin(), index_.end(), [this](const entry& a, const entry& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    if (const int order = compare_keys(record_at(a).key, record_at(b).key); order != 0)
      return order < 0;
    return a.segment != b.segment ? a.segment < b.segment : a.offset < b.offset;
  });
}

void sort_buffer::clear() noexcept {
  segments_.clear();
  index_.clear();
  record_bytes_ = 0;
}

sort_record sort_buffer::record_at(const entry& where) const noexcept {
  byte_reader in(segments_[where.segment].bytes().subspan(where.offset));
  sort_record record;
  const bool is_record = read_sort_record(in, record);
  MILLRACE_ASSERT(is_record, "what the buffer wrote can be read");
  return record;
}

}  // namespace millrace
