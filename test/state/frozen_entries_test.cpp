#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "millrace/state/frozen_entries.hpp"

namespace frozen_entries_test {

using namespace millrace;

namespace {

/// Knows which entries were saved.
struct keeper final : entry_saver {
  explicit keeper(const std::vector<std::size_t>& counts) {
    for (const auto count : counts) saved.emplace_back(count);
  }
  std::size_t save(std::uint32_t group, std::size_t first, std::size_t end) override {
    REQUIRE(first < end);
    REQUIRE(end <= saved[group].size());
    for (auto i = first; i < end; ++i) {
      CHECK_FALSE(saved[group][i]);
      saved[group][i] = true;
    }
    return end - first;
  }
  std::vector<std::vector<bool>> saved;
};

}  // namespace

TEST_CASE("frozen entries are saved once each, in blocks, before they change or in their turn") {
  std::mt19937 random(11);
  for (unsigned bits = 0; bits <= 6; ++bits) {
    const auto word = std::size_t{64} << bits;  // entries that a word of bits stands for
    for (int round = 0; round < 30; ++round) {
      CAPTURE(bits);
      CAPTURE(round);
      const std::vector<std::size_t> counts{
          0, 1, word - 1, word, word + 1, 3 * word, 1 + random() % (4 * word)};
      keeper to(counts);
      frozen_entries frozen(counts, bits, to);
      const auto change = [&](std::uint32_t group, std::size_t position) {
        frozen.preserve(group, position);
        if (position < counts[group]) CHECK(to.saved[group][position]);
      };
      std::uint32_t group = 0;
      while (group < counts.size()) {
        for (auto changes = random() % 8; changes > 0; --changes) {
          const auto of = static_cast<std::uint32_t>(random() % counts.size());
          change(of, random() % (counts[of] + 10));
        }
        snapshot_budget budget(1 + random() % (word * 8));
        while (group < counts.size() && frozen.write(group, budget)) ++group;
      }
      for (std::size_t g = 0; g < counts.size(); ++g)
        for (std::size_t i = 0; i < counts[g]; ++i) {
          CHECK(to.saved[g][i]);
          frozen.preserve(static_cast<std::uint32_t>(g), i);
        }
    }
  }
}

}  // namespace frozen_entries_test
