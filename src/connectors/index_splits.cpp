#include "millrace/connectors/index_splits.hpp"

#include <algorithm>
#include <utility>

#include "millrace/source/dealt_splits.hpp"

namespace millrace {

std::optional<index_cursor::run> index_cursor::next(reader_context& context, std::uint64_t room) {
  if (splits_.empty()) return std::nullopt;
  turn_ = splits_.front().stride == 1 ? 0 : (turn_ + 1) % splits_.size();
  const auto& split = splits_[turn_];
  auto count = std::min(room, split.count - split.done);
  if (rate_ && count > 0) {
    const auto now = context.task().time().now();
    count = std::min(count, rate_->due(now));
    if (count == 0) {
      context.wake_at(rate_->next(now));
      return std::nullopt;
    }
    rate_->take(count);
  }
  return run{split.id(), split.first + split.done * split.stride, split.stride, count};
}

bool index_cursor::advance(reader_context& context, const run& made) {
  auto& split = splits_[turn_];
  split.done += made.count;
  done_ += made.count;
  if (split.done != split.count) return false;
  splits_.erase(splits_.begin() + static_cast<std::ptrdiff_t>(turn_));
  set_rate(context);
  return true;
}

poll_status index_cursor::status() const noexcept {
  return splits_.empty() && no_more_ ? poll_status::finished : poll_status::idle;
}

void index_cursor::add(reader_context& context, std::vector<index_split> splits) {
  for (auto& split : splits) {
    done_ += split.done;
    if (split.count != index_split::endless) total_ += split.count;
    splits_.push_back(std::move(split));
  }
  set_rate(context);
}

/// A split of every nth index brings an nth of the rate.
void index_cursor::set_rate(reader_context& context) {
  rate_.reset();
  if (!per_second_ || splits_.empty()) return;
  double share = 0;
  for (const auto& split : splits_) share += 1 / static_cast<double>(split.stride);
  rate_.emplace(*per_second_ * share);
  rate_->start(context.task().time().now());
}

std::unique_ptr<split_enumerator_base> make_index_enumerator(enumerator_context& context,
                                                             const indices_description& how,
                                                             std::optional<byte_view> snapshot) {
  auto splits = snapshot ? decode_enumerator_state<std::vector<index_split>>(*snapshot)
                         : how.splits(context.parallelism());
  return std::make_unique<dealt_splits<index_split>>(context, std::move(splits));
}

}  // namespace millrace
