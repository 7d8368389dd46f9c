#include "millrace/operators/sort_merger.hpp"

#include <utility>

namespace millrace {

void sort_merger::add(run_reader run) {
  sources_.emplace_back().run = std::move(run);
}

void sort_merger::add(const sort_buffer& buffer) {
  sources_.emplace_back().buffer = &buffer;
}

status sort_merger::start() {
  for (std::uint32_t i = 0; i < sources_.size(); ++i) {
    auto has_record = read(sources_[i]);
    if (!has_record) return tl::unexpected(has_record.error());
    if (*has_record) heap_.push_back(i);
  }
  for (auto i = heap_.size() / 2; i-- > 0;) sift_down(i);
  return {};
}

status sort_merger::advance() {
  auto has_record = read(sources_[heap_.front()]);
  if (!has_record) return tl::unexpected(has_record.error());
  if (!*has_record) {
    heap_.front() = heap_.back();
    heap_.pop_back();
  }
  sift_down(0);
  return {};
}

result<bool> sort_merger::read(source& from) {
  if (from.buffer != nullptr) {
    if (from.next_in_buffer == from.buffer->size()) return false;
    from.record = (*from.buffer)[from.next_in_buffer++];
  } else {
    auto has_record = from.run->next(from.record);
    if (!has_record || !*has_record) return has_record;
  }
  from.prefix = key_prefix(from.record.key);
  return true;
}

bool sort_merger::is_before(std::uint32_t a, std::uint32_t b) const noexcept {
  const auto& left = sources_[a];
  const auto& right = sources_[b];
  if (left.prefix != right.prefix) return left.prefix < right.prefix;
  const int order = compare_keys(left.record.key, right.record.key);
  return order != 0 ? order < 0 : a < b;
}

void sort_merger::sift_down(std::size_t at) noexcept {
  for (;;) {
    auto child = 2 * at + 1;
    if (child >= heap_.size()) return;
    if (child + 1 < heap_.size() && is_before(heap_[child + 1], heap_[child])) ++child;
    if (!is_before(heap_[child], heap_[at])) return;
    std::swap(heap_[child], heap_[at]);
    at = child;
  }
}

}  // namespace millrace
