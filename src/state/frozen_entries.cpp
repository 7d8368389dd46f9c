#include "millrace/state/frozen_entries.hpp"

#include <algorithm>
#include <bit>

#include "millrace/core/mutant.hpp"

namespace millrace {

frozen_entries::frozen_entries(const std::vector<std::size_t>& counts, entry_saver& saver)
    : saver_(saver), groups_(counts.size()) {
  for (std::size_t i = 0; i < counts.size(); ++i) groups_[i].count = counts[i];
}

void frozen_entries::save_once(std::uint32_t group_offset, std::size_t position) {
  if (MILLRACE_MUTANT(change_overtakes_snapshot)) return;
  group& g = groups_[group_offset];
  if (g.saved.empty()) g.saved.resize((g.count + word_bits - 1) / word_bits);
  auto& word = g.saved[position / word_bits];
  const auto bit = std::uint64_t{1} << position % word_bits;
  if ((word & bit) != 0) return;
  saver_.save(group_offset, position);
  word |= bit;
}

bool frozen_entries::write(std::uint32_t group_offset, snapshot_budget& budget) {
  group& g = groups_[group_offset];
  while (g.next < g.count) {
    if (budget.is_spent()) return false;
    if (!g.saved.empty()) {
      // The saved ones that follow, up to the end of the word.
      const auto skipped = static_cast<std::size_t>(
          std::countr_one(g.saved[g.next / word_bits] >> g.next % word_bits));
      if (skipped > 0) {
        g.next = std::min(g.next + skipped, g.count);
        budget.spend(snapshot_budget::bytes_per_entry);
        continue;
      }
    }
    budget.spend(saver_.save(group_offset, g.next) + snapshot_budget::bytes_per_entry);
    ++g.next;
  }
  g = group();
  return true;
}

}  // namespace millrace
