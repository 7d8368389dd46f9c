#include "sim/staged_source.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "millrace/connectors/index_splits.hpp"

namespace millrace::sim {

namespace {

/// One split for each reader, which is kept to the end: whoever goes on from a checkpoint has one.
std::vector<index_split> splits_of(const stage_of_rows& stage, std::uint32_t readers) {
  std::vector<index_split> splits(readers);
  for (std::uint32_t n = 0; n < readers; ++n) {
    auto& split = splits[n];
    split.first = stage.first + n;
    split.stride = stage.is_of_one_reader ? 1 : readers;
    split.count = stage.is_of_one_reader ? (n == 0 ? stage.rows : 0)
                                         : (stage.rows + readers - 1 - n) / readers;
  }
  return splits;
}

class staged_reader final : public source_reader<row, index_split> {
 public:
  staged_reader(reader_context& context, const stage_of_rows& stage,
                std::shared_ptr<reached_time> reached)
      : context_(context), stage_(stage), reached_(std::move(reached)) {}

  void start() override { has_started_ = true; }
  void add_splits(std::vector<index_split> splits) override {
    if (!has_started_) reached_->is_waited_for = false;
    splits_.insert(splits_.end(), splits.begin(), splits.end());
  }
  void no_more_splits() override { no_more_ = true; }
  std::vector<index_split> snapshot(checkpoint_id) override { return splits_; }

  poll_status poll(source_output<row>& out) override {
    if (!reached_->is_past(stage_.begins_at)) return look_again();
    for (auto& split : splits_) {
      const auto count = std::min<std::uint64_t>(split.count - split.done, rows_max);
      if (count == 0) continue;
      out.begin_split(split.id());
      for (std::uint64_t i = 0; i < count; ++i)
        out.emit(stage_.make(split.first + split.done++ * split.stride));
      out.flush();
      return poll_status::more;
    }
    if (!no_more_ || !reached_->is_past(stage_.ends_at)) return look_again();
    return poll_status::finished;
  }

 private:
  /// Few enough for checkpoints to come between.
  static constexpr std::uint64_t rows_max = 20;

  poll_status look_again() {
    context_.wake_at(context_.task().time().now() + std::chrono::milliseconds(50));
    return poll_status::idle;
  }

  reader_context& context_;
  const stage_of_rows& stage_;
  std::shared_ptr<reached_time> reached_;
  std::vector<index_split> splits_;
  bool has_started_ = false;
  bool no_more_ = false;
};

class staged_source final : public source_base<row> {
 public:
  staged_source(stage_of_rows stage, std::shared_ptr<reached_time> reached)
      : stage_(std::move(stage)), reached_(std::move(reached)) {}

  boundedness ends() const noexcept override { return boundedness::bounded; }
  std::unique_ptr<source_reader_base<row>> make_reader(reader_context& context) const override {
    return std::make_unique<staged_reader>(context, stage_, reached_);
  }
  std::unique_ptr<split_enumerator_base> make_enumerator(
      enumerator_context& context) const override {
    return make_index_enumerator(context, indices(), {});
  }
  std::unique_ptr<split_enumerator_base> remake_enumerator(enumerator_context& context,
                                                           byte_view snapshot) const override {
    return make_index_enumerator(context, indices(), snapshot);
  }

 private:
  indices_description indices() const {
    return {.splits = [of = stage_](std::uint32_t readers) { return splits_of(of, readers); }};
  }

  stage_of_rows stage_;
  std::shared_ptr<reached_time> reached_;
};

}  // namespace

std::shared_ptr<const source_base<row>> make_staged_source(stage_of_rows stage,
                                                           std::shared_ptr<reached_time> reached) {
  return std::make_shared<staged_source>(std::move(stage), std::move(reached));
}

}  // namespace millrace::sim
