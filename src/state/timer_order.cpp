#include "millrace/state/timer_order.hpp"

#include <algorithm>
#include <tuple>

namespace millrace {

namespace {

auto places_in(std::vector<std::uint32_t>& positions) {
  return [&positions](const auto& node, std::size_t position) {
    positions[node.entry] = static_cast<std::uint32_t>(position);
  };
}

}  // namespace

bool timer_order::is_earlier(const node& a, const node& b) noexcept {
  return std::tie(a.timestamp, a.sequence) < std::tie(b.timestamp, b.sequence);
}

void timer_order::push(std::uint32_t group, std::int64_t timestamp) {
  auto& [heap, positions] = queues_[group];
  const auto entry = static_cast<std::uint32_t>(positions.size());
  positions.push_back(0);
  heap.push({timestamp, next_sequence_++, entry}, is_earlier, places_in(positions));
  rank(group);
}

void timer_order::remove(place which) {
  auto& [heap, positions] = queues_[which.group];
  heap.erase(positions[which.entry], is_earlier, places_in(positions));
  const auto last = static_cast<std::uint32_t>(positions.size() - 1);
  if (which.entry != last) {
    positions[which.entry] = positions[last];
    heap[positions[which.entry]].entry = which.entry;
  }
  positions.pop_back();
  rank(which.group);
}

std::vector<std::uint32_t> timer_order::entries_in_order(std::uint32_t group) const {
  const auto& heap = queues_[group].heap;
  std::vector<node> nodes;
  nodes.reserve(heap.size());
  for (std::size_t i = 0; i < heap.size(); ++i) nodes.push_back(heap[i]);
  std::sort(nodes.begin(), nodes.end(), is_earlier);
  std::vector<std::uint32_t> entries;
  entries.reserve(nodes.size());
  for (const auto& n : nodes) entries.push_back(n.entry);
  return entries;
}

void timer_order::rank(std::uint32_t group) {
  const auto is_before = [this](std::uint32_t a, std::uint32_t b) {
    const auto first_of_a = queues_[a].heap.top().timestamp;
    const auto first_of_b = queues_[b].heap.top().timestamp;
    return first_of_a != first_of_b ? first_of_a < first_of_b : a < b;
  };
  const auto placed = [this](std::uint32_t moved, std::size_t position) {
    place_of_queue_[moved] = static_cast<std::uint32_t>(position);
  };
  const std::uint32_t at = place_of_queue_[group];
  if (queues_[group].heap.empty()) {
    if (at == nowhere) return;
    order_.erase(at, is_before, placed);
    place_of_queue_[group] = nowhere;
  } else if (at == nowhere) {
    order_.push(group, is_before, placed);
  } else {
    order_.update(at, is_before, placed);
  }
}

}  // namespace millrace
