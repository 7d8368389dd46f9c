#pragma once

#include <algorithm>
#include <optional>

#include "millrace/operators/rate_limit.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

/// How much a generator makes, over all its subtasks.
struct generator_options {
  std::optional<std::uint64_t> count = {};  ///< Records in all; without it the stream never ends.
  std::optional<double> per_second = {};    ///< Records per second in all; without it, all it can.
};

/// Records made from their index: fn(0), fn(1), fn(2), … Subtask s of p makes those with
/// index % p == s, so what is made does not depend on the parallelism.
template <class T, class Fn>
class generator_source final : public producing<T, source_operator> {
 public:
  generator_source(Fn fn, generator_options options) : fn_(std::move(fn)), options_(options) {}

  void open(operator_context& context) override {
    context_ = &context;
    const auto& self = context.runtime();
    index_ = self.subtask_index();
    stride_ = self.parallelism();
    if (options_.count)
      total_ = *options_.count / stride_ + (index_ < *options_.count % stride_ ? 1 : 0);
    if (options_.per_second) {
      rate_.emplace(*options_.per_second / static_cast<double>(stride_));
      rate_->start(context.time().now());
    }
    fn_.open(context);
  }

  poll_status poll() override {
    std::uint64_t count = this->out_.room();
    if (options_.count) count = std::min(count, total_ - done_);
    if (rate_ && count > 0) {
      const auto now = context_->time().now();
      count = std::min(count, rate_->due(now));
      if (count == 0) {
        context_->wake_at(rate_->next(now));
        return poll_status::idle;
      }
      rate_->take(count);
    }
    make(count);
    return options_.count && done_ == total_ ? poll_status::finished : poll_status::more;
  }

  source_progress progress() const noexcept override { return {done_, total_}; }
  bool finish() override {
    fn_.finish();
    return true;
  }
  void close() noexcept override { fn_.close(); }

 private:
  void make(std::uint64_t count) {
    auto& fn = *fn_;
    auto& rows = this->out_.rows();
    for (std::uint64_t i = 0; i < count; ++i, index_ += stride_)
      rows.emplace_back(std::invoke(fn, std::as_const(index_)));
    done_ += count;
    this->out_.flush();
  }

  user_function<Fn> fn_;
  generator_options options_;
  operator_context* context_ = nullptr;
  std::optional<rate_limit> rate_;
  std::uint64_t index_ = 0;
  std::uint64_t stride_ = 1;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;  // of this subtask; 0 if unbounded
};

/// The factory of generator_source.
template <class T, class Fn>
std::shared_ptr<const operator_factory> make_generator_source(Fn fn, generator_options options) {
  return make_factory<void, T>(
      [fn, options] { return std::make_unique<generator_source<T, Fn>>(fn, options); });
}

}  // namespace millrace
