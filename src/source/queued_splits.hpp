#pragma once

#include <cstdint>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "millrace/source/split_enumerator.hpp"

namespace millrace {

/// Splits that are known from the start and handed out one by one to whoever asks: a fast reader
/// takes more of them (Flink's IteratorSourceEnumerator).
template <source_split Split>
class queued_splits final : public split_enumerator<Split, std::vector<Split>> {
 public:
  queued_splits(enumerator_context& context, std::vector<Split> splits)
      : split_enumerator<Split, std::vector<Split>>(context),
        waiting_(std::make_move_iterator(splits.begin()), std::make_move_iterator(splits.end())) {}

  void handle_split_request(std::uint32_t subtask) override {
    if (waiting_.empty()) return this->context().signal_no_more_splits(subtask);
    if (this->assign(subtask, {waiting_.front()})) waiting_.pop_front();
  }
  void add_splits_back(std::vector<Split> splits, std::uint32_t) override {
    waiting_.insert(waiting_.begin(), std::make_move_iterator(splits.begin()),
                    std::make_move_iterator(splits.end()));
  }
  std::vector<Split> snapshot(checkpoint_id) override { return {waiting_.begin(), waiting_.end()}; }

 private:
  std::deque<Split> waiting_;
};

}  // namespace millrace
