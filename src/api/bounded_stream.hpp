#pragma once

#include <functional>
#include <string>
#include <utility>

#include "millrace/api/bounded_groups.hpp"
#include "millrace/api/bounded_join.hpp"
#include "millrace/operators/cross.hpp"

// What can be done with streams that end, once they have ended: the verbs of Flink's DataSet, and
// its full window partitions (FLIP-380). All work in streaming and in batch mode alike, and none
// needs the data to fit into memory, but for the functions that are given whole groups.

namespace millrace {

/// The records of each subtask of a bounded stream (Flink's PartitionWindowedStream).
template <class T>
class bounded_partitions : private data_stream<T> {
 public:
  /// Throws `failure(invalid_graph)` if the stream is unbounded.
  explicit bounded_partitions(const data_stream<T>& stream) : data_stream<T>(stream) {
    this->builder_->require_bounded(this->parts_);
  }

  /// What comes of each partition as a whole: `fn(std::vector<T>&, collector<U>&)`, for partitions
  /// that fit into memory (`taskmanager.memory.sort`), or row by row an object as `group_function`
  /// is. Called for an empty partition, too. `U` is read off the function; a generic one needs it:
  /// map_partition<U>(fn).
  template <class U = void, class Fn>
  auto map_partition(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, detail::grouped_type<Fn>, U>;
    static_assert(takes_rows_of_group<Fn, T, out> || takes_whole_group<Fn, T, out>,
                  "millrace: map_partition needs a function that takes `std::vector<T>&` and "
                  "`collector<U>&`, or one as group_function is; if it is generic, say what comes "
                  "out: map_partition<U>(fn)");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    return add<out>("map_partition",
                    detail::call_for_group<T, out, Fn>{user_function<Fn>(std::move(fn))});
  }

  /// The records in order: by functions, pointers to members or `field<I>`, the first ones first,
  /// or such in `descending(…)`. Stable; not in memory if they don't fit. What follows directly,
  /// with the same parallelism, gets them in this order.
  template <class... Part>
  single_output<T> sort_partition(Part... parts) const {
    static_assert(sizeof...(Part) > 0 && (sort_selector<Part, T> && ...),
                  "millrace: sort_partition needs functions or pointers to members that return "
                  "numbers, texts, enums, times, or aggregates of these");
    using keys = whole_partition<sort_parts<Part...>>;
    return this->template transform<T>(
        "sort_partition",
        make_sorted_groups<T, T>(keys{{{{std::move(parts)}...}}}, detail::pass_group<T>{}));
  }

  /// `fn(const T&, const T&)` makes one record of two; one of each partition is left, unless it is
  /// empty.
  template <class Fn>
  single_output<T> reduce(Fn fn) const {
    static_assert(reduce_function<Fn, T>,
                  "millrace: reduce needs a function that takes two `const T&` and returns a T");
    static_cast<void>(check_copyable<Fn>());
    using fold = reduce_fold<T, Fn>;
    return add<T>("reduce", detail::fold_group<T, fold>{user_function<fold>(fold{std::move(fn)})});
  }

  /// The result of an object as `aggregate_function` is over each partition, an empty one, too.
  template <class Aggregate>
  auto aggregate(Aggregate aggregate) const {
    static_assert(aggregates<Aggregate, T>,
                  "millrace: aggregate needs an object with create_accumulator(), add(acc&, const "
                  "T&), get_result(const acc&) and merge(acc&, const acc&)");
    using verb = detail::aggregate_group<T, Aggregate>;
    static_cast<void>(check_record<typename verb::out_type>() && check_copyable<Aggregate>());
    return add<typename verb::out_type>("aggregate",
                                        verb{user_function<Aggregate>(std::move(aggregate))});
  }

  /// At most `n` records of each partition, those that come first.
  single_output<T> first(std::uint64_t n) const {
    return add<T>("first", detail::first_of_group<T>{n});
  }

 private:
  template <class Out, class Verb>
  single_output<Out> add(std::string kind, Verb verb) const {
    return this->template transform<Out>(std::move(kind), make_partition<T, Out>(std::move(verb)));
  }
};

/// A stream that ends: a stream as any other, and more (Flink's DataSet).
template <class T>
class bounded_stream : public data_stream<T> {
 public:
  /// Throws `failure(invalid_graph)` naming the source if one that leads here is unbounded.
  explicit bounded_stream(const data_stream<T>& stream) : data_stream<T>(stream) {
    this->builder_->require_bounded(this->parts_);
  }

  /// The records of each key together. Selectors as key_by takes them.
  template <class... KeyOf>
  auto group_by(KeyOf... key_of) const {
    return as_bounded(this->key_by(std::move(key_of)...));
  }

  /// One record of each key: the first that comes. Without a selector, the record is the key.
  template <class... KeyOf>
  single_output<T> distinct(KeyOf... key_of) const {
    if constexpr (sizeof...(KeyOf) == 0)
      return distinct(std::identity{});
    else
      return group_by(std::move(key_of)...)
          .template add<T>("distinct", detail::first_of_group<T>{1});
  }

  /// At most `n` records, of the whole stream; which ones is left open.
  single_output<T> first(std::uint64_t n) const {
    const auto of_partitions = this->full_window_partition().first(n);
    return bounded_partitions<T>(of_partitions.global()).first(n).set_parallelism(1);
  }

  /// `fn(const T&, const T&)` makes one record of two, until one is left of the whole stream; none
  /// of an empty one. The order is left open.
  template <class Fn>
  single_output<T> reduce(Fn fn) const {
    const auto of_partitions = this->full_window_partition().reduce(fn);
    return bounded_partitions<T>(of_partitions.global()).reduce(fn).set_parallelism(1);
  }

  /// As bounded_partitions does.
  template <class U = void, class Fn>
  auto map_partition(Fn fn) const {
    return this->full_window_partition().template map_partition<U>(std::move(fn));
  }
  /// As bounded_partitions does.
  template <class... Part>
  single_output<T> sort_partition(Part... parts) const {
    return this->full_window_partition().sort_partition(std::move(parts)...);
  }

  /// Pairs of records with equal keys: `join(other).where(k1).equal_to(k2).apply(fn)`. A sort-merge
  /// join: see docs/batch.md.
  template <class U>
  auto join(const data_stream<U>& other) const {
    return joined<false>(other, {});
  }
  /// And the left records without a partner.
  template <class U>
  auto left_outer_join(const data_stream<U>& other) const {
    return joined<true>(other, {.left = true});
  }
  /// And the right records without a partner.
  template <class U>
  auto right_outer_join(const data_stream<U>& other) const {
    return joined<true>(other, {.right = true});
  }
  /// And the records of both without a partner.
  template <class U>
  auto full_outer_join(const data_stream<U>& other) const {
    return joined<true>(other, {.left = true, .right = true});
  }

  /// The records of both streams with equal keys together:
  /// `co_group(other).where(k1).equal_to(k2).apply(fn)`.
  template <class U>
  auto co_group(const data_stream<U>& other) const {
    return paired(other, []<class K1, class K2>(const keyed_stream<T, K1>& left,
                                                const keyed_stream<U, K2>& right) {
      return bounded_co_group_on<T, K1, U, K2>({left, right});
    });
  }

  /// Every pair of a record of this stream and one of the other, which is sent to all subtasks and
  /// so should be the smaller one: `fn(const T&, const U&)`, which returns a record, or with a
  /// `collector<Out>&` behind them.
  template <class Out = void, class U, class Fn>
  auto cross(const data_stream<U>& other, Fn fn) const {
    using out = detail::joined_type<Out, Fn, const T&, const U&>;
    static_assert(
        std::invocable<Fn&, const T&, const U&> ||
            std::invocable<Fn&, const T&, const U&, collector<out>&>,
        "millrace: cross needs a function that takes `const T&` and `const U&` of the two "
        "streams, and may take a `collector<Out>&`");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    return detail::stream_pair<T, U>(*this, bounded_stream<U>(other).broadcast())
        .template transform<out>(
            "cross",
            make_cross<T, U, out>(detail::pair_function<T, U, out, Fn, false>{{std::move(fn)}}));
  }

 private:
  template <class U, class Finish>
  auto paired(const data_stream<U>& other, Finish finish) const {
    return bounded_join<T, U, Finish>(*this, bounded_stream<U>(other), std::move(finish));
  }
  template <bool IsOuter, class U>
  auto joined(const data_stream<U>& other, unmatched_rows unmatched) const {
    return paired(other, [unmatched]<class K1, class K2>(const keyed_stream<T, K1>& left,
                                                         const keyed_stream<U, K2>& right) {
      return bounded_join_on<T, K1, U, K2, IsOuter>({left, right}, unmatched);
    });
  }
};

/// Says that a stream ends, so that it can be worked on as a whole. Throws
/// `failure(invalid_graph)` naming the source if it does not.
template <class T>
bounded_stream<T> as_bounded(const data_stream<T>& stream) {
  return bounded_stream<T>(stream);
}

template <class T>
bounded_partitions<T> data_stream<T>::full_window_partition() const {
  return bounded_partitions<T>(*this);
}

}  // namespace millrace
