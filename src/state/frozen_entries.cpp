#include "millrace/state/frozen_entries.hpp"

#include <algorithm>
#include <bit>

#include "millrace/core/mutant.hpp"

namespace millrace {

frozen_entries::frozen_entries(const std::vector<std::size_t>& counts, unsigned block_bits,
                               entry_saver& saver)
    : block_bits_(block_bits), saver_(saver), groups_(counts.size()) {
  for (std::size_t i = 0; i < counts.size(); ++i) groups_[i].count = counts[i];
}

std::size_t frozen_entries::save(std::uint32_t group_offset, std::size_t block) {
  const auto first = block << block_bits_;
  const auto end = std::min(first + (std::size_t{1} << block_bits_), groups_[group_offset].count);
  return saver_.save(group_offset, first, end) + (end - first) * snapshot_budget::bytes_per_entry;
}

void frozen_entries::save_once(std::uint32_t group_offset, std::size_t block) {
  if (MILLRACE_MUTANT(change_overtakes_snapshot)) return;
  group& g = groups_[group_offset];
  if (g.saved.empty()) g.saved.resize((g.count >> block_bits_) / word_bits + 1);
  auto& word = g.saved[block / word_bits];
  const auto bit = std::uint64_t{1} << block % word_bits;
  if ((word & bit) != 0) return;
  save(group_offset, block);
  word |= bit;
}

bool frozen_entries::write(std::uint32_t group_offset, snapshot_budget& budget) {
  group& g = groups_[group_offset];
  while (g.next < g.count) {
    if (budget.is_spent()) return false;
    const auto block = g.next >> block_bits_;
    if (!g.saved.empty()) {
      // The saved ones that follow, up to the end of the word.
      const auto skipped = static_cast<std::size_t>(
          std::countr_one(g.saved[block / word_bits] >> block % word_bits));
      if (skipped > 0) {
        g.next = std::min((block + skipped) << block_bits_, g.count);
        budget.spend(snapshot_budget::bytes_per_entry);
        continue;
      }
    }
    budget.spend(save(group_offset, block));
    g.next = std::min((block + 1) << block_bits_, g.count);
  }
  g = group();
  return true;
}

}  // namespace millrace
