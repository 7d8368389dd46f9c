#include "sim/asking_source.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "millrace/connectors/index_splits.hpp"
#include "millrace/source/queued_splits.hpp"

namespace millrace::sim {

namespace {

class asking_reader final : public source_reader<row, index_split> {
 public:
  asking_reader(reader_context& context, const rows_in_splits& what)
      : context_(context), what_(what) {}

  void start() override { ask(); }
  void add_splits(std::vector<index_split> splits) override {
    has_asked_ = false;
    splits_.insert(splits_.end(), splits.begin(), splits.end());
  }
  void no_more_splits() override { no_more_ = true; }
  std::vector<index_split> snapshot(checkpoint_id) override { return splits_; }

  poll_status poll(source_output<row>& out) override {
    const auto now = context_.task().time().now();
    if (now < next_row_) return wait();
    if (splits_.empty()) {
      if (no_more_) return poll_status::finished;
      ask();
      return poll_status::idle;
    }
    auto& split = splits_.front();
    out.begin_split(split.id());
    out.emit(what_.make(split.first + split.done++));
    if (split.done == split.count) {
      out.end_split(split.id());
      splits_.erase(splits_.begin());
    }
    ask();
    if (what_.per_second == 0) return poll_status::more;
    const std::chrono::duration<double> pause(context_.task().runtime().parallelism() /
                                              what_.per_second);
    next_row_ = now + std::chrono::duration_cast<std::chrono::nanoseconds>(pause);
    return wait();
  }

 private:
  /// For one more, if there is at most a row left.
  void ask() {
    const bool has_enough =
        !splits_.empty() && (splits_.size() > 1 || splits_[0].done + 1 < splits_[0].count);
    if (has_enough || no_more_ || std::exchange(has_asked_, true)) return;
    context_.request_split();
  }
  poll_status wait() {
    context_.wake_at(next_row_);
    return poll_status::idle;
  }

  reader_context& context_;
  const rows_in_splits& what_;
  std::vector<index_split> splits_;
  std::chrono::steady_clock::time_point next_row_{};
  bool has_asked_ = false;  // for a split that has not come yet
  bool no_more_ = false;
};

class asking_source final : public source<row, index_split> {
 public:
  explicit asking_source(rows_in_splits what) : what_(std::move(what)) {}

  boundedness ends() const noexcept override { return boundedness::bounded; }
  std::unique_ptr<source_reader<row, index_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<asking_reader>(context, what_);
  }
  std::unique_ptr<split_enumerator<index_split, std::vector<index_split>>> create_enumerator(
      enumerator_context& context) const override {
    std::vector<index_split> splits;
    for (std::uint64_t first = 0; first < what_.rows; first += what_.rows_per_split) {
      auto& split = splits.emplace_back();
      split.first = first;
      split.count = std::min(what_.rows_per_split, what_.rows - first);
    }
    return restore_enumerator(context, std::move(splits));
  }
  std::unique_ptr<split_enumerator<index_split, std::vector<index_split>>> restore_enumerator(
      enumerator_context& context, std::vector<index_split> waiting) const override {
    return std::make_unique<queued_splits<index_split>>(context, std::move(waiting));
  }

 private:
  rows_in_splits what_;
};

}  // namespace

std::shared_ptr<const source_base<row>> make_asking_source(rows_in_splits what) {
  return std::make_shared<asking_source>(std::move(what));
}

}  // namespace millrace::sim
