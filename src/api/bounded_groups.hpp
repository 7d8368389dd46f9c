#pragma once

#include <string>
#include <utility>

#include "millrace/api/keyed_stream.hpp"
#include "millrace/operators/sorted_groups.hpp"
#include "millrace/state/aggregate_function.hpp"

namespace millrace {

/// The records of each key of a bounded stream, to be worked on as a whole once all are there
/// (Flink's GroupedDataSet, and PartitionWindowedStream of a keyed stream). Records are sorted by
/// key, outside memory if need be (`taskmanager.memory.sort`); within a group they come as they
/// came, or as sort_group says.
template <class T, class KeyOf, class Order = sort_parts<>>
class bounded_groups : private keyed_stream<T, KeyOf> {
 public:
  /// Throws `failure(invalid_graph)` if the stream is unbounded.
  explicit bounded_groups(const keyed_stream<T, KeyOf>& stream, Order order = {})
      : keyed_stream<T, KeyOf>(stream), order_(std::move(order)) {
    this->builder_->require_bounded(this->parts_);
  }

  /// The same groups, each sorted by what is given, the first ones first: functions, pointers to
  /// members or `field<I>`, or such in `descending(…)`.
  template <class... Part>
  auto sort_group(Part... parts) const {
    static_assert(sizeof...(Part) > 0 && (sort_selector<Part, T> && ...),
                  "millrace: sort_group needs functions or pointers to members that return "
                  "numbers, texts, enums, times, or aggregates of these");
    using sorted = sort_parts<Part...>;
    return bounded_groups<T, KeyOf, sorted>(*this, sorted{{{std::move(parts)}...}});
  }

  /// At most `n` records of each group.
  single_output<T> first(std::uint64_t n) const {
    return add<T>("first", detail::first_of_group<T>{n});
  }

  /// `fn(const T&, const T&)` makes one record of two; one of each group is left.
  template <class Fn>
  single_output<T> reduce(Fn fn) const {
    static_assert(reduce_function<Fn, T>,
                  "millrace: reduce needs a function that takes two `const T&` and returns a T");
    static_cast<void>(check_copyable<Fn>());
    using fold = reduce_fold<T, Fn>;
    return add<T>("reduce", detail::fold_group<T, fold>{user_function<fold>(fold{std::move(fn)})});
  }

  /// The result of an object as `aggregate_function` is over each group.
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

  /// What comes of each group as a whole: `fn(std::vector<T>&, collector<U>&)`, for groups that fit
  /// into memory, or row by row an object as `group_function` is. `U` is read off the function; a
  /// generic one needs it: reduce_group<U>(fn).
  template <class U = void, class Fn>
  auto reduce_group(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, detail::grouped_type<Fn>, U>;
    static_assert(takes_rows_of_group<Fn, T, out> || takes_whole_group<Fn, T, out>,
                  "millrace: reduce_group needs a function that takes `std::vector<T>&` and "
                  "`collector<U>&`, or one as group_function is; if it is generic, say what comes "
                  "out: reduce_group<U>(fn)");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    return add<out>("reduce_group",
                    detail::call_for_group<T, out, Fn>{user_function<Fn>(std::move(fn))});
  }

  /// All records, those of each group side by side.
  single_output<T> in_order() const { return add<T>("sort_group", detail::pass_group<T>{}); }

 private:
  template <class, class, class>
  friend class bounded_groups;
  template <class>
  friend class bounded_stream;

  template <class Out, class Verb>
  single_output<Out> add(std::string kind, Verb verb) const {
    return this->template transform<Out>(
        std::move(kind), make_sorted_groups<T, Out>(
                             keyed_groups<KeyOf, Order>{this->key_of(), order_}, std::move(verb)));
  }

  Order order_;
};

/// The groups of a keyed stream; throws `failure(invalid_graph)` naming the source if it does not
/// end by itself.
template <class T, class KeyOf>
bounded_groups<T, KeyOf> as_bounded(const keyed_stream<T, KeyOf>& stream) {
  return bounded_groups<T, KeyOf>(stream);
}

template <class T, class KeyOf>
auto keyed_stream<T, KeyOf>::full_window_partition() const {
  return as_bounded(*this);
}

}  // namespace millrace
