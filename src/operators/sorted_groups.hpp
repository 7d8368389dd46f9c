#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/operators/group_functions.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/sorted_rows.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// Sorts its input by group and order, and at its end does `Verb` with each group: sort_partition,
/// distinct, first, reduce, aggregate, reduce_group of bounded streams. Rows that pass through keep
/// their timestamps; what is made at the end of a group has none.
template <class T, class Out, class Keys, class Verb>
class sorted_groups_operator final : public producing<Out> {
 public:
  sorted_groups_operator(Keys keys, Verb verb) : keys_(std::move(keys)), verb_(std::move(verb)) {}

  void open(operator_context& context) override {
    refuse_checkpoints(context, "it sorts all of its input before anything comes out");
    const auto memory = context.spilling().memory_bytes / (detail::holds_rows<Verb> ? 2 : 1);
    rows_.open(context, "sort", memory);
    verb_.open(context, memory);
  }

  void process(std::size_t, batch& rows, rows_access) override { rows_.add(rows, keys_); }
  void end_input(std::size_t) override { rows_.end_input(); }
  bool is_busy() const noexcept override { return rows_.is_busy(); }

  bool finish() override {
    using next = typename sorted_rows<T>::next;
    // A bounded amount of work, whatever the verb emits.
    for (int budget = 1024; budget > 0; --budget) {
      const auto found = rows_.peek();
      if (found == next::waiting) break;
      if (found == next::end) {
        end_group();
        this->out_.flush();
        verb_.finish();
        rows_.close();
        return true;
      }
      if (in_group_ && !std::ranges::equal(group_, rows_.group())) end_group();
      if (!in_group_) {
        in_group_ = true;
        group_.assign(rows_.group().begin(), rows_.group().end());
      }
      const auto bytes = rows_.row_bytes();
      T row = rows_.take();
      this->out_.set_timestamp(rows_.timestamp());
      verb_.add(std::move(row), bytes, this->out_);
    }
    this->out_.flush();
    return false;
  }

  void close() noexcept override {
    rows_.close();
    verb_.close();
  }

 private:
  void end_group() {
    if (!std::exchange(in_group_, false)) return;
    this->out_.set_timestamp(no_timestamp);
    verb_.end(this->out_);
  }

  Keys keys_;
  Verb verb_;
  sorted_rows<T> rows_;
  bool in_group_ = false;
  std::vector<std::byte> group_;
};

template <class T, class Out, class Keys, class Verb>
operator_factory_ptr make_sorted_groups(Keys keys, Verb verb) {
  return make_factory<T, Out>([keys, verb] {
    return std::make_unique<sorted_groups_operator<T, Out, Keys, Verb>>(keys, verb);
  });
}

/// Does `Verb` with all rows of a subtask as they come, as one group, which may be empty:
/// map_partition, reduce and aggregate of partitions, first(n).
template <class T, class Out, class Verb>
class partition_operator final : public producing<Out> {
 public:
  explicit partition_operator(Verb verb) : verb_(std::move(verb)) {}

  void open(operator_context& context) override {
    refuse_checkpoints(context, "what it makes of a whole partition is not kept as state");
    verb_.open(context, context.spilling().memory_bytes);
  }

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& in = typed<T>(rows);
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      const auto bytes = sizeof(T) + heap_bytes(static_cast<const T&>(in.rows[i]));
      this->out_.set_timestamp(in.timestamp_of(i));
      if (access == rows_access::exclusive)
        verb_.add(std::move(in.rows[i]), bytes, this->out_);
      else
        verb_.add(T(in.rows[i]), bytes, this->out_);
    }
    this->out_.flush();
  }

  bool finish() override {
    this->out_.set_timestamp(no_timestamp);
    verb_.end(this->out_);
    this->out_.flush();
    verb_.finish();
    return true;
  }
  void close() noexcept override { verb_.close(); }

 private:
  Verb verb_;
};

template <class T, class Out, class Verb>
operator_factory_ptr make_partition(Verb verb) {
  return make_factory<T, Out>(
      [verb] { return std::make_unique<partition_operator<T, Out, Verb>>(verb); });
}

}  // namespace millrace
