#include "millrace/state/missing_rows.hpp"

#include <algorithm>

namespace millrace {

void missing_rows::clear() {
  keys_.clear();
  ends_.clear();
}

void missing_rows::read(
    byte_table& from,
    const std::function<void(std::size_t number, const byte_view* value)>& visit) {
  order_.clear();
  std::size_t begin = 0;
  for (const auto& [end, number] : ends_) {
    order_.emplace_back(row_order(keys_.bytes().subspan(begin, end - begin)), number);
    begin = end;
  }
  std::sort(order_.begin(), order_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  views_.clear();
  for (const auto& [row, number] : order_) views_.push_back(row.key);
  std::size_t next = 0;
  // What was not found between two that were has no row.
  const auto pass_absent_until = [&](std::size_t index) {
    for (; next < index; ++next) visit(order_[next].second, nullptr);
  };
  from.get_many(views_, [&](std::size_t index, byte_view value) {
    pass_absent_until(index);
    visit(order_[next++].second, &value);
  });
  pass_absent_until(order_.size());
}

}  // namespace millrace
