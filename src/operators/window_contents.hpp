#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/operators/fold.hpp"
#include "millrace/operators/window_evictor.hpp"
#include "millrace/state/aggregate_function.hpp"

// What a window keeps of its records: an accumulator of type `accumulator`, to which `add` adds a
// record, `merge` another accumulator, and of which `result` makes what the window function gets.
// `add_first` starts an accumulator, which may be any old one, anew. Contents are opened and closed
// as functions are, and do so with those of the user that they hold.

namespace millrace {

/// aggregate(…)
template <class T, class Aggregate>
struct aggregated_contents {
  using accumulator = accumulator_of<Aggregate>;
  using result_type = result_of<Aggregate>;

  Aggregate aggregate;

  void open(operator_context& context) { detail::open_function(aggregate, context); }
  void close() requires closeable<Aggregate> { aggregate.close(); }
  void add_first(accumulator& into, const T& row, timestamp_ms) const {
    into = aggregate.create_accumulator();
    aggregate.add(into, row);
  }
  void add(accumulator& into, const T& row, timestamp_ms) const { aggregate.add(into, row); }
  void merge(accumulator& into, const accumulator& from) const { aggregate.merge(into, from); }
  result_type result(const accumulator& from) const { return aggregate.get_result(from); }
};

/// reduce, sum, min, max, min_by, max_by: the value that all records were folded to.
template <class T, class Fold>
struct folded_contents {
  using accumulator = T;
  using result_type = T;

  mutable Fold fold;

  void open(operator_context& context) { detail::open_function(fold, context); }
  void close() requires closeable<Fold> { fold.close(); }
  void add_first(T& into, const T& row, timestamp_ms) const { into = row; }
  void add(T& into, const T& row, timestamp_ms) const { fold(into, row); }
  void merge(T& into, const T& from) const { fold(into, from); }
  const T& result(const T& from) const { return from; }
};

/// apply and process: all records in the order of their arrival.
template <class T>
struct listed_contents {
  using accumulator = std::vector<T>;
  using result_type = std::vector<T>;

  void add_first(accumulator& into, const T& row, timestamp_ms) const {
    into.clear();
    into.push_back(row);
  }
  void add(accumulator& into, const T& row, timestamp_ms) const { into.push_back(row); }
  void merge(accumulator& into, const accumulator& from) const {
    into.insert(into.end(), from.begin(), from.end());
  }
  const accumulator& result(const accumulator& from) const { return from; }
};

/// Any of these behind an evictor: all records with their timestamps. `Inner` makes the result of
/// those that are left.
template <class T, class Inner, class Evictor>
struct evicted_contents {
  using accumulator = std::vector<timestamped<T>>;
  using result_type = typename Inner::result_type;

  Inner inner;
  Evictor evictor;

  void open(operator_context& context) { detail::open_function(inner, context); }
  void close() requires closeable<Inner> { inner.close(); }
  void add_first(accumulator& into, const T& row, timestamp_ms at) const {
    into.clear();
    into.push_back({at, row});
  }
  void add(accumulator& into, const T& row, timestamp_ms at) const { into.push_back({at, row}); }
  void merge(accumulator& into, const accumulator& from) const {
    into.insert(into.end(), from.begin(), from.end());
  }
  /// Not if there are no rows.
  result_type result(const accumulator& from) const {
    typename Inner::accumulator all{};
    bool is_first = true;
    for (const auto& row : from) {
      if (std::exchange(is_first, false))
        inner.add_first(all, row.value, row.at);
      else
        inner.add(all, row.value, row.at);
    }
    return inner.result(all);
  }
};

/// Contents that stay small however many records there are, so that it pays to merge them.
template <class Contents>
inline constexpr bool is_incremental = false;
template <class T, class Aggregate>
inline constexpr bool is_incremental<aggregated_contents<T, Aggregate>> = true;
template <class T, class Fold>
inline constexpr bool is_incremental<folded_contents<T, Fold>> = true;

template <class Contents>
inline constexpr bool is_evicted = false;
template <class T, class Inner, class Evictor>
inline constexpr bool is_evicted<evicted_contents<T, Inner, Evictor>> = true;

}  // namespace millrace
