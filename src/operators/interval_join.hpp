#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "millrace/operators/interval_join_function.hpp"
#include "millrace/operators/join_buffer.hpp"
#include "millrace/operators/key_block.hpp"
#include "millrace/operators/late_records.hpp"
#include "millrace/operators/time_window.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/operators/window_trigger.hpp"
#include "millrace/state/keyed_state_slot.hpp"

namespace millrace {

/// What an interval join is made of. `lower` and `upper` are inclusive, in milliseconds.
template <class T1, class T2, class KeyOf1, class KeyOf2, class Fn>
struct interval_join_settings {
  KeyOf1 key_of1;
  KeyOf2 key_of2;
  std::int64_t lower_ms = 0;
  std::int64_t upper_ms = 0;
  Fn fn;
  std::optional<output_tag<T1>> late_left;
  std::optional<output_tag<T2>> late_right;
};

/// Pairs rows of two keyed streams whose times are near: `right.at` in [`left.at + lower`,
/// `left.at + upper`] (Flink's IntervalJoinOperator; the outer joins as Flink SQL's). A pair comes
/// out when its later row comes in, with the later one's timestamp. A row that finds no partner
/// comes out, if the join is of that type, with its own timestamp once no partner can come any
/// more: watermarks are held back for so long, so that it is not late.
///
/// Rows earlier than the watermark are late. State per key: one value with the rows of both sides
/// that may still find partners, ordered by time, so that partners are found by bisection where
/// Flink walks through all of them.
template <class T1, class T2, class Out, class KeyOf1, class KeyOf2, class Fn, join_type Type>
class interval_join_operator final : public producing<Out> {
 public:
  using settings = interval_join_settings<T1, T2, KeyOf1, KeyOf2, Fn>;
  using key = key_type<T1, KeyOf1>;

  explicit interval_join_operator(settings how)
      : block1_(std::move(how.key_of1)),
        block2_(std::move(how.key_of2)),
        lower_(how.lower_ms),
        upper_(how.upper_ms),
        fn_(std::move(how.fn)),
        late1_(std::move(how.late_left)),
        late2_(std::move(how.late_right)) {}

  void open(operator_context& context) override {
    backend_ = &context.keyed_backend<key>();
    due_ = &backend_->schedule("_due-rows");
    buffers_ = backend_->get_state(value_state_descriptor<buffers>("_rows"));
    side_.open(context);
    late1_.open(context, side_);
    late2_.open(context, side_);
    fn_.open(context);
  }

  void process(std::size_t input, batch& rows, rows_access) override {
    if (input == 0)
      process_rows<T1>(rows, block1_, [this](const T1& row, timestamp_ms at) { add1(row, at); });
    else
      process_rows<T2>(rows, block2_, [this](const T2& row, timestamp_ms at) { add2(row, at); });
  }

  void on_watermark(timestamp_ms at) override {
    watermark_ = at;
    due_->advance(at, [this](timestamp_ms due, const auto& block) {
      backend_->prefetch(block.keys, block.hashes);
      for (std::size_t i = 0; i < block.keys.size(); ++i)
        look_after(due, block.keys[i], block.hashes[i]);
    });
    flush();
    this->forwarded().push_watermark(at == max_watermark ? at
                                                         : saturating_subtract(at, hold_back()));
  }

  bool finish() override {
    fn_.finish();
    return true;
  }
  void close() noexcept override { fn_.close(); }

 private:
  static constexpr timestamp_ms never = max_watermark;
  using buffers = join_buffers<T1, T2>;

  template <class T, class Block, class Add>
  void process_rows(batch& rows, Block& block, Add&& add) {
    const auto& in = typed<T>(rows);
    for (std::size_t begin = 0; begin < in.size(); begin += block.rows_max) {
      const auto count = std::min(block.rows_max, in.size() - begin);
      block.find(&in.rows[begin], count);
      backend_->prefetch(block.keys(), block.hashes());
      for (std::size_t i = 0; i < count; ++i) {
        const auto at = in.timestamp_of(begin + i);
        if (!is_placeable(at)) throw_unplaceable_timestamp(at);
        backend_->set_current_key(block.at(i), block.hash(i));
        add(in.rows[begin + i], at);
      }
    }
    flush();
  }

  void add1(const T1& row, timestamp_ms at) {
    if (at < watermark_) return late1_.add(row, at);
    buffers& all = buffers_.get_or_default();
    bool has_partner = false;
    all.right.for_each_in(at + lower_, at + upper_, [&](waiting_row<T2>& other) {
      has_partner = other.has_partner = true;
      join(&row, at, &other.row, other.at);
    });
    keep<keeps_left(Type)>(all, all.left, row, at, has_partner, upper_);
  }

  void add2(const T2& row, timestamp_ms at) {
    if (at < watermark_) return late2_.add(row, at);
    buffers& all = buffers_.get_or_default();
    bool has_partner = false;
    all.left.for_each_in(at - upper_, at - lower_, [&](waiting_row<T1>& other) {
      has_partner = other.has_partner = true;
      join(&other.row, other.at, &row, at);
    });
    keep<keeps_right(Type)>(all, all.right, row, at, has_partner, -lower_);
  }

  /// Partners come up to `ahead` later than the row: it stays until the watermark is beyond. One
  /// that nobody can come for stays until the next look, so that it comes out in the order of time.
  template <bool IsKept, class T>
  void keep(buffers& all, join_buffer<T>& side, const T& row, timestamp_ms at, bool has_partner,
            std::int64_t ahead) {
    const bool waits = at + ahead >= watermark_;
    const bool is_alone = IsKept && !has_partner;
    if (waits || is_alone) side.add(at, row, has_partner, needed_from(ahead));
    if (is_alone)
      expect(all, at + std::max<std::int64_t>(ahead, 0) + 1);
    else if (all.due == never) {
      if (const auto due = next_due(all); due != never)
        expect(all, due);
      else
        buffers_.clear();  // the row had come too late to be kept, and there is no other
    }
  }

  /// The earliest time of rows that still may find partners which come up to `ahead` later.
  timestamp_ms needed_from(std::int64_t ahead) const noexcept {
    return saturating_subtract(watermark_, std::max<std::int64_t>(ahead, 0));
  }

  void expect(buffers& all, timestamp_ms when) {
    if (when >= all.due) return;
    all.due = when;
    due_->add(backend_->current_key_hash(), backend_->current_key(), when);
  }

  void look_after(timestamp_ms due, key& who, std::uint64_t hash) {
    backend_->set_current_key(who, hash);
    buffers& all = buffers_.get_or_default();
    if (all.due != due) {
      // It became due earlier meanwhile, and was dealt with then.
      if (all.due == never) buffers_.clear();
      return;
    }
    emit_alone(all, due);
    // Whoever comes now comes no earlier than `due`. A side to which nothing comes any more loses
    // its rows here.
    all.left.forget(due - std::max<std::int64_t>(upper_, 0));
    all.right.forget(due - std::max<std::int64_t>(-lower_, 0));
    all.due = next_due(all);
    if (all.due == never || all.due <= due)
      buffers_.clear();
    else
      due_->add(hash, std::move(who), all.due);
  }

  /// Rows that came to nothing until `due`.
  void emit_alone(buffers& all, timestamp_ms due) {
    const auto give_up = [&](auto& side, std::int64_t ahead, auto&& emit) {
      for (auto& r : side.rows) {
        if (r.at + std::max<std::int64_t>(ahead, 0) >= due) break;
        if (!std::exchange(r.has_partner, true)) emit(r);
      }
    };
    if constexpr (keeps_left(Type))
      give_up(all.left, upper_,
              [&](const waiting_row<T1>& r) { join(&r.row, r.at, nullptr, no_timestamp); });
    if constexpr (keeps_right(Type))
      give_up(all.right, -lower_,
              [&](const waiting_row<T2>& r) { join(nullptr, no_timestamp, &r.row, r.at); });
  }

  /// When the first row that waits to come out alone does, or else when the last row goes; never if
  /// there is none.
  timestamp_ms next_due(const buffers& all) const {
    timestamp_ms first = never, last = no_timestamp;
    if (all.left.rows.empty() && all.right.rows.empty()) return never;
    const auto look = [&](const auto& side, std::int64_t ahead, bool is_kept) {
      if (side.rows.empty()) return;
      const auto wait = std::max<std::int64_t>(ahead, 0) + 1;
      last = std::max(last, side.rows.back().at + wait);
      if (!is_kept) return;
      for (const auto& r : side.rows)
        if (!r.has_partner) return static_cast<void>(first = std::min(first, r.at + wait));
    };
    look(all.left, upper_, keeps_left(Type));
    look(all.right, -lower_, keeps_right(Type));
    return first != never ? first : last;
  }

  void join(const T1* left, timestamp_ms left_at, const T2* right, timestamp_ms right_at) {
    interval_join_context context(side_, left_at, right_at);
    this->out_.set_timestamp(context.timestamp());
    if constexpr (Type == join_type::inner)
      join_with<Fn, const T1&, const T2&>(*fn_, *left, *right, context, this->out_);
    else
      join_with<Fn, const T1*, const T2*>(*fn_, left, right, context, this->out_);
  }

  /// How far behind the watermark rows may come out.
  std::int64_t hold_back() const noexcept {
    std::int64_t most = 0;
    if constexpr (keeps_left(Type)) most = std::max(most, std::max<std::int64_t>(upper_, 0) + 1);
    if constexpr (keeps_right(Type)) most = std::max(most, std::max<std::int64_t>(-lower_, 0) + 1);
    return most;
  }

  void flush() {
    this->out_.flush();
    side_.flush();
  }

  key_block<T1, KeyOf1> block1_;
  key_block<T2, KeyOf2> block2_;
  std::int64_t lower_;
  std::int64_t upper_;
  user_function<Fn> fn_;
  side_outputs side_;
  late_records<T1> late1_;
  late_records<T2> late2_;
  timestamp_ms watermark_ = no_timestamp;

  // checkpointed, by the backend
  keyed_state_backend<key>* backend_ = nullptr;
  key_schedule<key>* due_ = nullptr;
  value_state<buffers> buffers_;
};

template <class T1, class T2, class Out, join_type Type, class KeyOf1, class KeyOf2, class Fn>
operator_factory_ptr make_interval_join(interval_join_settings<T1, T2, KeyOf1, KeyOf2, Fn> how) {
  return make_two_input_factory<T1, T2, Out>([how] {
    return std::make_unique<interval_join_operator<T1, T2, Out, KeyOf1, KeyOf2, Fn, Type>>(how);
  });
}

}  // namespace millrace
