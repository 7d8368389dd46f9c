#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "millrace/source/split_enumerator.hpp"

namespace millrace {

/// Splits that are known from the start and dealt out evenly: the n-th goes to subtask
/// n % parallelism. For sources whose splits are alike, or of which each reader is to have its
/// share.
template <source_split Split>
class dealt_splits final : public split_enumerator<Split, std::vector<Split>> {
 public:
  dealt_splits(enumerator_context& context, std::vector<Split> splits)
      : split_enumerator<Split, std::vector<Split>>(context), of_(context.parallelism()) {
    for (std::size_t i = 0; i < splits.size(); ++i)
      of_[i % of_.size()].push_back(std::move(splits[i]));
  }

  void add_reader(std::uint32_t subtask) override {
    if (!this->assign(subtask, of_[subtask])) return;
    of_[subtask].clear();
    this->context().signal_no_more_splits(subtask);
  }
  void add_splits_back(std::vector<Split> splits, std::uint32_t subtask) override {
    of_[subtask] = std::move(splits);
  }
  std::vector<Split> snapshot(checkpoint_id) override {
    std::vector<Split> all;
    for (const auto& each : of_) all.insert(all.end(), each.begin(), each.end());
    return all;
  }

 private:
  std::vector<std::vector<Split>> of_;  // by subtask, until its reader has them
};

}  // namespace millrace
