#include "millrace/state/ordered_entries.hpp"

#include <algorithm>

namespace millrace {

std::size_t ordered_entries::add(rank where, byte_view key, byte_view ns, byte_view value) {
  const auto begin = bytes_.size();
  places_.push_back({where, begin, static_cast<std::uint32_t>(key.size()),
                     static_cast<std::uint32_t>(ns.size()),
                     static_cast<std::uint32_t>(value.size())});
  for (const auto part : {key, ns, value}) bytes_.put_bytes(part.data(), part.size());
  return bytes_.size() - begin;
}

bool ordered_entries::move_to(snapshot_section& section, snapshot_budget& budget) {
  if (!places_.empty() && budget.is_spent()) return false;
  if (moved_ == 0) std::ranges::sort(places_, {}, [](const place& p) { return p.where; });
  for (; moved_ < places_.size(); ++moved_) {
    if (budget.is_spent()) return false;
    const place& p = places_[moved_];
    const auto key = bytes_.bytes().subspan(p.begin);
    const auto ns = key.subspan(p.key_bytes);
    section.entry(key.first(p.key_bytes), ns.first(p.ns_bytes), {},
                  ns.subspan(p.ns_bytes, p.value_bytes));
    budget.spend(p.key_bytes + p.ns_bytes + p.value_bytes + snapshot_budget::bytes_per_entry);
  }
  *this = ordered_entries();
  return true;
}

}  // namespace millrace
