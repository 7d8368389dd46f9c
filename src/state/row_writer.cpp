#include "millrace/state/row_writer.hpp"

#include <algorithm>

namespace millrace {

void row_writer::begin(byte_view key) {
  const auto at = bytes_.size();
  bytes_.put_bytes(key.data(), key.size());
  rows_.push_back({at, bytes_.size(), bytes_.size(), false});
}

void row_writer::end(bool is_erased) {
  rows_.back().end = bytes_.size();
  rows_.back().is_erased = is_erased;
  if (rows_.size() >= rows_per_batch) write();
}

void row_writer::write() {
  if (rows_.empty()) return;
  const auto all = bytes_.bytes();
  order_.clear();
  for (const row& r : rows_)
    order_.emplace_back(row_order(all.subspan(r.begin, r.key_end - r.begin)), &r);
  std::stable_sort(order_.begin(), order_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [at, r] : order_) {
    if (r->is_erased)
      batch_->erase(at.key);
    else
      batch_->put(at.key, all.subspan(r->key_end, r->end - r->key_end));
  }
  table_.write(*batch_);
  rows_.clear();
  bytes_.clear();
}

}  // namespace millrace
