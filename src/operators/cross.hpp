#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "millrace/operators/group_functions.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/sorted_rows.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// Calls `fn(const T1*, const T2*, collector<Out>&)` for every pair of a left record of this
/// subtask and a right record, all of which come here (Flink's CrossDriver, as block nested loops):
/// holds as many left records in memory as fit, goes over the right ones, and so on with the next.
template <class T1, class T2, class Out, class Fn>
class cross_operator final : public producing<Out> {
 public:
  explicit cross_operator(Fn fn) : fn_(std::move(fn)) {}

  void open(operator_context& context) override {
    refuse_checkpoints(context, "it gathers all of its inputs before anything comes out");
    const auto third = context.spilling().memory_bytes / 3;
    left_.open(context, "left", third);
    right_.open(context, "right", third);
    held_.open(third, "a block");
    fn_.open(context);
  }
  void process(std::size_t input, batch& rows, rows_access) override {
    if (input == 0)
      left_.add(rows, as_they_come{});
    else
      right_.add(rows, as_they_come{});
  }
  bool is_busy() const noexcept override { return left_.is_busy() || right_.is_busy(); }

  bool finish() override {
    if (!std::exchange(has_ended_, true)) {
      left_.end_input();
      right_.end_input();
      return false;
    }
    for (int budget = 1024; budget > 0; --budget) {
      const auto found = is_holding_ ? hold_left() : pair_right();
      if (found == next::waiting) break;
      if (found == next::end) {
        this->out_.flush();
        fn_.finish();
        left_.close();
        right_.close();
        return true;
      }
    }
    this->out_.flush();
    return false;
  }
  void close() noexcept override {
    left_.close();
    right_.close();
    fn_.close();
  }

 private:
  using next = external_sorter::next;

  /// A sorter that does not sort: keeps what comes, in its order.
  using as_they_come = whole_partition<sort_parts<>>;

  /// `end` when all is done.
  next hold_left() {
    const auto found = left_.peek();
    if (found == next::waiting) return found;
    if (found == next::record && held_.has_room(left_.row_bytes())) {
      const auto bytes = left_.row_bytes();
      held_.add(left_.take(), bytes);
      return next::record;
    }
    if (held_.rows.empty()) return next::end;
    if (std::exchange(has_read_right_, true)) right_.rewind();
    is_holding_ = false;
    return next::record;
  }

  next pair_right() {
    if (!right_row_) {
      const auto found = right_.peek();
      if (found == next::waiting) return found;
      if (found == next::end) {
        held_.clear();
        is_holding_ = true;
        return next::record;
      }
      right_row_.emplace(right_.take());
      pair_ = 0;
    }
    (*fn_)(&std::as_const(held_.rows[pair_]), &std::as_const(*right_row_), this->out_);
    if (++pair_ == held_.rows.size()) right_row_.reset();
    return next::record;
  }

  user_function<Fn> fn_;
  sorted_rows<T1> left_;
  sorted_rows<T2> right_;  // likewise
  detail::held_rows<T1> held_;
  std::optional<T2> right_row_;
  std::size_t pair_ = 0;
  bool is_holding_ = true;
  bool has_read_right_ = false;
  bool has_ended_ = false;
};

template <class T1, class T2, class Out, class Fn>
operator_factory_ptr make_cross(Fn fn) {
  return make_two_input_factory<T1, T2, Out>(
      [fn] { return std::make_unique<cross_operator<T1, T2, Out, Fn>>(fn); });
}

}  // namespace millrace
