#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/operators/group_functions.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/sorted_rows.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// Which records of a join come out without a partner, too.
struct unmatched_rows {
  bool left = false;
  bool right = false;
};

/// What join and co_group of bounded streams have in common: both inputs sorted by key, and at the
/// end the keys one after the other, with the records of both (a sort-merge join; Flink's
/// SortMergeJoinOperator). Each input gets a quarter of the memory to be sorted, and a quarter for
/// the records of one key.
template <class T1, class T2, class Out, class Keys1, class Keys2>
class merging_operator : public producing<Out> {
 public:
  merging_operator(Keys1 keys1, Keys2 keys2) : keys1_(std::move(keys1)), keys2_(std::move(keys2)) {}

  void open(operator_context& context) override {
    refuse_checkpoints(context, "it sorts all of its inputs before anything comes out");
    left_.open(context, "left", quarter(context));
    right_.open(context, "right", quarter(context));
  }
  void process(std::size_t input, batch& rows, rows_access) override {
    if (input == 0)
      left_.add(rows, keys1_);
    else
      right_.add(rows, keys2_);
  }
  bool is_busy() const noexcept override { return left_.is_busy() || right_.is_busy(); }
  bool finish() override {
    if (!std::exchange(has_ended_, true)) {
      left_.end_input();
      right_.end_input();
      return false;
    }
    for (int budget = 1024; budget > 0; --budget) {
      switch (step()) {
        case progress::more:
          continue;
        case progress::waiting:
          budget = 0;
          continue;
        case progress::done:
          this->out_.flush();
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
  }

 protected:
  static std::uint64_t quarter(const operator_context& context) noexcept {
    return context.spilling().memory_bytes / 4;
  }

  enum class progress : std::uint8_t { more, waiting, done };
  using next = external_sorter::next;

  /// A small piece of work, after the end of both inputs.
  virtual progress step() = 0;

  /// Makes the least key of both inputs the current one.
  progress find_key() {
    const auto left = left_.peek();
    const auto right = right_.peek();
    if (left == next::waiting || right == next::waiting) return progress::waiting;
    if (left == next::end && right == next::end) return progress::done;
    const bool is_right = left == next::end || (right == next::record &&
                                                compare_keys(right_.group(), left_.group()) < 0);
    const auto group = is_right ? right_.group() : left_.group();
    key_.assign(group.begin(), group.end());
    return progress::more;
  }
  /// Whether the input has another record of the current key; `end` if it has none.
  template <class Rows>
  next next_of_key(Rows& rows) const {
    const auto found = rows.peek();
    if (found != next::record) return found;
    return std::ranges::equal(key_, rows.group()) ? next::record : next::end;
  }

  sorted_rows<T1> left_;
  sorted_rows<T2> right_;  // likewise

 private:
  Keys1 keys1_;
  Keys2 keys2_;
  std::vector<std::byte> key_;
  bool has_ended_ = false;
};

/// Calls `fn(const T1*, const T2*, collector<Out>&)` for each pair of records with one key, and, if
/// asked for, for records without a partner, with null in its place.
///
/// Of each key the records of one side are held in memory, of whichever side fits; only a key with
/// too many records on both sides is refused. Its pairs would be too many anyway.
template <class T1, class T2, class Out, class Keys1, class Keys2, class Fn>
class merge_join_operator final : public merging_operator<T1, T2, Out, Keys1, Keys2> {
  using base = merging_operator<T1, T2, Out, Keys1, Keys2>;
  using typename base::next;
  using typename base::progress;

 public:
  merge_join_operator(Keys1 keys1, Keys2 keys2, Fn fn, unmatched_rows unmatched)
      : base(std::move(keys1), std::move(keys2)), fn_(std::move(fn)), unmatched_(unmatched) {}

  void open(operator_context& context) override {
    base::open(context);
    const auto& name = context.runtime().operator_name();
    lefts_.open(base::quarter(context), "one key's records on the left input of '" + name + "'");
    rights_.open(base::quarter(context),
                 "one key's records on both inputs of '" + name + "', those on the right");
    fn_.open(context);
  }
  bool finish() override {
    if (!base::finish()) return false;
    fn_.finish();
    return true;
  }
  void close() noexcept override {
    base::close();
    fn_.close();
  }

 private:
  /// key -> hold_left -> stream_right -> key, or, if the left does not fit,
  /// key -> hold_left -> hold_right -> pair_held -> stream_left -> key
  enum class phase : std::uint8_t {
    key,           // finds the next one
    hold_left,     // takes the left records into memory
    stream_right,  // pairs each right record with those
    hold_right,    // takes the right records into memory, as the left ones don't fit
    stream_left,   // pairs the left records, first those that are held, with the right ones
  };

  progress step() override {
    switch (phase_) {
      case phase::key: {
        lefts_.clear();
        rights_.clear();
        pair_ = 0;
        has_pairs_ = false;
        const auto found = this->find_key();
        if (found == progress::more) phase_ = phase::hold_left;
        return found;
      }
      case phase::hold_left:
        return hold(this->left_, lefts_, phase::stream_right, true);
      case phase::hold_right:
        return hold(this->right_, rights_, phase::stream_left, false);
      case phase::stream_right:
        return stream_right();
      case phase::stream_left:
        return stream_left();
    }
    return progress::done;
  }

  template <class Rows, class Held>
  progress hold(Rows& rows, Held& held, phase then, bool may_give_up) {
    const auto found = this->next_of_key(rows);
    if (found == next::waiting) return progress::waiting;
    if (found == next::end) {
      phase_ = then;
    } else if (may_give_up && !held.has_room(rows.row_bytes())) {
      phase_ = phase::hold_right;
    } else {
      const auto bytes = rows.row_bytes();
      held.add(rows.take(), bytes);
    }
    return progress::more;
  }

  progress stream_right() {
    if (!right_row_) {
      const auto found = this->next_of_key(this->right_);
      if (found == next::waiting) return progress::waiting;
      if (found == next::end) {
        if (!has_pairs_ && unmatched_.left && pair_ < lefts_.rows.size()) {
          call(&lefts_.rows[pair_++], nullptr);
          return progress::more;
        }
        phase_ = phase::key;
        return progress::more;
      }
      right_row_.emplace(this->right_.take());
      has_pairs_ = true;
      pair_ = 0;
    }
    if (lefts_.rows.empty() && unmatched_.right) call(nullptr, &*right_row_);
    if (pair_ < lefts_.rows.size()) call(&lefts_.rows[pair_++], &*right_row_);
    if (pair_ >= lefts_.rows.size()) right_row_.reset();
    return progress::more;
  }

  progress stream_left() {
    if (!left_row_) {
      if (held_left_ < lefts_.rows.size()) {
        left_row_.emplace(std::move(lefts_.rows[held_left_++]));
      } else {
        const auto found = this->next_of_key(this->left_);
        if (found == next::waiting) return progress::waiting;
        if (found == next::end) {
          held_left_ = 0;
          phase_ = phase::key;
          return progress::more;
        }
        left_row_.emplace(this->left_.take());
      }
      pair_ = 0;
    }
    if (rights_.rows.empty() && unmatched_.left) call(&*left_row_, nullptr);
    if (pair_ < rights_.rows.size()) call(&*left_row_, &rights_.rows[pair_++]);
    if (pair_ >= rights_.rows.size()) left_row_.reset();
    return progress::more;
  }

  void call(const T1* left, const T2* right) { (*fn_)(left, right, this->out_); }

  user_function<Fn> fn_;
  unmatched_rows unmatched_;
  phase phase_ = phase::key;
  detail::held_rows<T1> lefts_;
  detail::held_rows<T2> rights_;
  std::optional<T1> left_row_;
  std::optional<T2> right_row_;
  std::size_t pair_ = 0;       // of the held rows
  std::size_t held_left_ = 0;  // of the held left rows, when the right ones are held, too
  bool has_pairs_ = false;
};

/// Calls `fn(std::vector<T1>&, std::vector<T2>&, collector<Out>&)` for each key of either input
/// with its records of both, which must fit into memory.
template <class T1, class T2, class Out, class Keys1, class Keys2, class Fn>
class co_group_operator final : public merging_operator<T1, T2, Out, Keys1, Keys2> {
  using base = merging_operator<T1, T2, Out, Keys1, Keys2>;
  using typename base::next;
  using typename base::progress;

 public:
  co_group_operator(Keys1 keys1, Keys2 keys2, Fn fn)
      : base(std::move(keys1), std::move(keys2)), fn_(std::move(fn)) {}

  void open(operator_context& context) override {
    base::open(context);
    const auto& name = context.runtime().operator_name();
    lefts_.open(base::quarter(context), "a group on the left input of '" + name + "'");
    rights_.open(base::quarter(context), "a group on the right input of '" + name + "'");
    fn_.open(context);
  }
  bool finish() override {
    if (!base::finish()) return false;
    fn_.finish();
    return true;
  }
  void close() noexcept override {
    base::close();
    fn_.close();
  }

 private:
  progress step() override {
    if (!in_group_) {
      const auto found = this->find_key();
      in_group_ = found == progress::more;
      return found;
    }
    const auto left = hold(this->left_, lefts_);
    if (left != next::end) return left == next::record ? progress::more : progress::waiting;
    const auto right = hold(this->right_, rights_);
    if (right != next::end) return right == next::record ? progress::more : progress::waiting;
    std::invoke(*fn_, lefts_.rows, rights_.rows, this->out_);
    lefts_.clear();
    rights_.clear();
    in_group_ = false;
    return progress::more;
  }

  template <class Rows, class Held>
  next hold(Rows& rows, Held& held) {
    const auto found = this->next_of_key(rows);
    if (found == next::record) {
      const auto bytes = rows.row_bytes();
      held.add(rows.take(), bytes);
    }
    return found;
  }

  user_function<Fn> fn_;
  detail::held_rows<T1> lefts_;
  detail::held_rows<T2> rights_;
  bool in_group_ = false;
};

template <class T1, class T2, class Out, class Keys1, class Keys2, class Fn>
operator_factory_ptr make_merge_join(Keys1 keys1, Keys2 keys2, Fn fn, unmatched_rows unmatched) {
  return make_two_input_factory<T1, T2, Out>([keys1, keys2, fn, unmatched] {
    return std::make_unique<merge_join_operator<T1, T2, Out, Keys1, Keys2, Fn>>(keys1, keys2, fn,
                                                                                unmatched);
  });
}

template <class T1, class T2, class Out, class Keys1, class Keys2, class Fn>
operator_factory_ptr make_co_group(Keys1 keys1, Keys2 keys2, Fn fn) {
  return make_two_input_factory<T1, T2, Out>([keys1, keys2, fn] {
    return std::make_unique<co_group_operator<T1, T2, Out, Keys1, Keys2, Fn>>(keys1, keys2, fn);
  });
}

}  // namespace millrace
