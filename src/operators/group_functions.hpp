#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/fold.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/state/aggregate_function.hpp"
#include "millrace/stream/operator.hpp"

// What is done with the records of a group, or of a whole partition, of a bounded stream:
//
//     open  ( add* end )*  finish
//
// `add` gets the group's records one by one, `end` closes the group. `open` is told how much memory
// they may take, if there is any need to hold them (`holds_rows`).

namespace millrace {

/// Takes a group's rows one at a time, so that a group may be of any size (Flink's
/// GroupReduceFunction and MapPartitionFunction with one pass over their Iterable). Any class with
/// the same members will do. One object serves all groups of a subtask, one after the other.
template <class T, class Out>
class group_function {
 public:
  virtual ~group_function() = default;
  /// Before the first group, once per subtask.
  virtual void open(runtime_context&) {}
  /// A record of the group at hand.
  virtual void process_element(const T& row, collector<Out>& out) = 0;
  /// The group's last row was processed. What is kept for the group must be reset here.
  virtual void end_group(collector<Out>& out) = 0;
  /// After the last group or a failure.
  virtual void close() {}
};

/// Takes a group record by record, and is told its end: as group_function, which it need not derive
/// from.
template <class Fn, class T, class Out>
concept takes_rows_of_group = requires(Fn& fn, const T& row, collector<Out>& out) {
  fn.process_element(row, out);
  fn.end_group(out);
};

/// Takes a whole group: a `std::vector<T>&`, which it may change and move from.
template <class Fn, class T, class Out>
concept takes_whole_group = std::invocable < Fn&,
        row_vector<T>
&, collector<Out>& > ;

namespace detail {

template <class Fn>
consteval auto find_grouped() {
  if constexpr (requires { collected_by<1>(&Fn::process_element); })
    return decltype(collected_by<1>(&Fn::process_element)){};
  else
    return std::type_identity<collected_type<Fn, 1>>{};
}

template <class Fn>
using grouped_type = typename decltype(find_grouped<std::decay_t<Fn>>())::type;

/// Rows of one group in memory, no more than fit there.
template <class T>
class held_rows {
 public:
  /// `bytes_max` is what they may take of `taskmanager.memory.sort`; `what` is what is held, for
  /// the message: "a group", …
  void open(std::uint64_t bytes_max, std::string what) {
    bytes_max_ = bytes_max;
    what_ = std::move(what);
  }
  void add(T&& row, std::size_t bytes) {
    if (!has_room(bytes))
      throw failure(errc::invalid_data,
                    what_ + " takes more than " + std::to_string(bytes_max_) + " bytes after " +
                        std::to_string(rows.size()) +
                        " records and can't be handed over as a whole: raise "
                        "'taskmanager.memory.sort', or use a function that takes the records one "
                        "by one (reduce, aggregate, group_function)");
    bytes_ += bytes;
    rows.push_back(std::move(row));
  }
  /// At least one row has.
  bool has_room(std::size_t bytes) const noexcept {
    return rows.empty() || bytes_ + bytes <= bytes_max_;
  }
  void clear() noexcept {
    rows.clear();
    bytes_ = 0;
  }

  row_vector<T> rows;

 private:
  std::size_t bytes_ = 0;
  std::size_t bytes_max_ = 0;
  std::string what_;
};

template <class T>
struct pass_group {
  void open(operator_context&, std::uint64_t) {}
  void add(T&& row, std::size_t, collector<T>& out) { out.emit(std::move(row)); }
  void end(collector<T>&) {}
  void finish() {}
  void close() noexcept {}
};

/// The first `limit` rows.
template <class T>
struct first_of_group {
  std::uint64_t limit;
  std::uint64_t seen = 0;

  void open(operator_context&, std::uint64_t) {}
  void add(T&& row, std::size_t, collector<T>& out) {
    if (seen++ < limit) out.emit(std::move(row));
  }
  void end(collector<T>&) { seen = 0; }
  void finish() {}
  void close() noexcept {}
};

/// All rows as one. A fold as keyed streams use them; nothing comes of no rows.
template <class T, class Fold>
struct fold_group {
  user_function<Fold> fold;
  std::optional<T> value{};

  void open(operator_context& context, std::uint64_t) { fold.open(context); }
  void add(T&& row, std::size_t, collector<T>&) {
    if (value)
      (*fold)(*value, std::move(row));
    else
      value.emplace(std::move(row));
  }
  void end(collector<T>& out) {
    if (value) out.emit(*std::move(value));
    value.reset();
  }
  void finish() { fold.finish(); }
  void close() noexcept { fold.close(); }
};

/// An object as aggregate_function is. A partition without rows gives the result of an empty
/// accumulator.
template <class T, class Aggregate>
struct aggregate_group {
  using acc = accumulator_of<Aggregate>;
  using out_type = result_of<Aggregate>;

  user_function<Aggregate> aggregate;
  std::optional<acc> value{};

  void open(operator_context& context, std::uint64_t) { aggregate.open(context); }
  void add(T&& row, std::size_t, collector<out_type>&) {
    if (!value) value.emplace(aggregate->create_accumulator());
    aggregate->add(*value, std::as_const(row));
  }
  void end(collector<out_type>& out) {
    if (!value) value.emplace(aggregate->create_accumulator());
    out.emit(aggregate->get_result(std::as_const(*value)));
    value.reset();
  }
  void finish() { aggregate.finish(); }
  void close() noexcept { aggregate.close(); }
};

/// A user's function, for whole groups or row by row.
template <class T, class Out, class Fn>
struct call_for_group {
  user_function<Fn> fn;
  held_rows<T> held{};
  static constexpr bool row_by_row = takes_rows_of_group<Fn, T, Out>;
  static constexpr bool holds_rows = !row_by_row;

  void open(operator_context& context, std::uint64_t memory_bytes) {
    held.open(memory_bytes,
              "a group, or partition, of '" + context.runtime().operator_name() + "'");
    fn.open(context);
  }
  void add(T&& row, std::size_t bytes, collector<Out>& out) {
    if constexpr (row_by_row)
      (*fn).process_element(std::as_const(row), out);
    else
      held.add(std::move(row), bytes);
  }
  void end(collector<Out>& out) {
    if constexpr (row_by_row)
      (*fn).end_group(out);
    else
      std::invoke(*fn, held.rows, out);
    held.clear();
  }
  void finish() { fn.finish(); }
  void close() noexcept { fn.close(); }
};

/// Whether it needs memory for a group's records.
template <class Verb>
inline constexpr bool holds_rows = false;
template <class Verb>
requires(Verb::holds_rows) inline constexpr bool holds_rows<Verb> = true;

}  // namespace detail

}  // namespace millrace
