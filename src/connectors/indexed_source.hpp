#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/operators/rate_limit.hpp"
#include "millrace/source/dealt_splits.hpp"
#include "millrace/source/source_reader_operator.hpp"

namespace millrace {

/// Records with the indices first, first + stride, first + 2 * stride, … (modulo 2^64).
struct index_split {
  static constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t first = 0;
  std::uint64_t stride = 1;
  std::uint64_t count = endless;  ///< How many they are.
  std::uint64_t done = 0;         ///< How many of them were emitted.

  std::string id() const { return std::to_string(first) + "+" + std::to_string(stride); }
};

/// Makes records from their indices: `fill` appends `count` of them to `rows`.
template <class M, class T>
concept record_maker = std::copy_constructible<M> &&
    requires(M& maker, operator_context& context, row_vector<T>& rows, std::uint64_t n) {
  maker.open(context);
  maker.fill(rows, n, n, n);
  maker.finish();
  maker.close();
};

/// Reads index_splits: if there are several, one after the other where they are ranges, else by
/// turns, so that their records stay close to the order of the indices.
template <class T, record_maker<T> Maker>
class indexed_reader final : public source_reader<T, index_split> {
 public:
  /// `per_second` is the rate of all splits of the source together; nothing: as fast as possible.
  indexed_reader(reader_context& context, Maker maker, std::optional<double> per_second)
      : context_(context), maker_(std::move(maker)), per_second_(per_second) {}

  void start() override { maker_.open(context_.task()); }

  poll_status poll(source_output<T>& out) override {
    if (splits_.empty()) return no_more_ ? poll_status::finished : poll_status::idle;
    turn_ = splits_.front().stride == 1 ? 0 : (turn_ + 1) % splits_.size();
    auto& split = splits_[turn_];
    std::uint64_t count = std::min<std::uint64_t>(out.room(), split.count - split.done);
    if (rate_ && count > 0) {
      const auto now = context_.task().time().now();
      count = std::min(count, rate_->due(now));
      if (count == 0) {
        context_.wake_at(rate_->next(now));
        return poll_status::idle;
      }
      rate_->take(count);
    }
    out.begin_split(split.id());
    maker_.fill(out.rows(), split.first + split.done * split.stride, split.stride, count);
    split.done += count;
    done_ += count;
    out.flush();
    if (split.done == split.count) end_split(out);
    return splits_.empty() && no_more_ ? poll_status::finished : poll_status::more;
  }

  void add_splits(std::vector<index_split> splits) override {
    for (auto& split : splits) {
      done_ += split.done;
      if (split.count != index_split::endless) total_ += split.count;
      splits_.push_back(std::move(split));
    }
    set_rate();
  }
  void no_more_splits() override { no_more_ = true; }
  std::vector<index_split> snapshot(checkpoint_id) override { return splits_; }
  source_progress progress() const noexcept override { return {done_, total_}; }
  void finish() override { maker_.finish(); }
  void close() noexcept override { maker_.close(); }

 private:
  void end_split(source_output<T>& out) {
    const auto ended = splits_[turn_].id();
    splits_.erase(splits_.begin() + static_cast<std::ptrdiff_t>(turn_));
    out.end_split(ended);
    set_rate();
  }

  /// A split of every nth index brings an nth of the rate.
  void set_rate() {
    rate_.reset();
    if (!per_second_ || splits_.empty()) return;
    double share = 0;
    for (const auto& split : splits_) share += 1 / static_cast<double>(split.stride);
    rate_.emplace(*per_second_ * share);
    rate_->start(context_.task().time().now());
  }

  reader_context& context_;
  Maker maker_;
  std::optional<double> per_second_;
  std::optional<rate_limit> rate_;
  std::vector<index_split> splits_;
  std::size_t turn_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;  // 0 if unbounded
  bool no_more_ = false;
};

/// A source of records that are made from their indices.
template <class T, record_maker<T> Maker>
class indexed_source final : public source<T, index_split> {
 public:
  struct description {
    /// The splits for so many readers, the nth for subtask n. What they make together must not
    /// depend on the number.
    std::function<std::vector<index_split>(std::uint32_t parallelism)> splits;
    boundedness ends = boundedness::bounded;
    bool is_parallel = true;
    std::optional<double> per_second = {};
  };

  indexed_source(Maker maker, description how) : maker_(std::move(maker)), how_(std::move(how)) {}

  boundedness ends() const noexcept override { return how_.ends; }
  bool is_parallel() const noexcept override { return how_.is_parallel; }
  std::unique_ptr<source_reader<T, index_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<indexed_reader<T, Maker>>(context, maker_, how_.per_second);
  }
  using enumerator = split_enumerator<index_split, std::vector<index_split>>;
  std::unique_ptr<enumerator> create_enumerator(enumerator_context& context) const override {
    return restore_enumerator(context, how_.splits(context.parallelism()));
  }
  std::unique_ptr<enumerator> restore_enumerator(enumerator_context& context,
                                                 std::vector<index_split> state) const override {
    return std::make_unique<dealt_splits<index_split>>(context, std::move(state));
  }

 private:
  Maker maker_;
  description how_;
};

}  // namespace millrace
