#pragma once

#include "millrace/api/data_stream.hpp"
#include "millrace/api/windowed_stream.hpp"
#include "millrace/operators/fold.hpp"
#include "millrace/operators/keyed_fold.hpp"
#include "millrace/operators/keyed_functions.hpp"
#include "millrace/operators/keyed_process.hpp"

namespace millrace {

template <class T1, class KeyOf1, class T2, class KeyOf2>
class keyed_connected_streams;
template <class T, class KeyOf, class B>
class keyed_broadcast_connected_stream;

/// A stream whose records of one key go to one subtask. What it aggregates it keeps per key: in
/// streaming mode every record is answered by its key's new value, in batch mode each key's last
/// value comes out once, at the end.
template <class T, class KeyOf>
class keyed_stream : public data_stream<T> {
 public:
  /// The type of the keys.
  using key = key_type<T, KeyOf>;

  keyed_stream(const data_stream<T>& stream, KeyOf key_of)
      : data_stream<T>(stream), key_of_(std::move(key_of)) {
    const router_factory_ptr router(new keyed_router_factory<T, KeyOf>(key_of_));
    this->parts_ = detail::partitioned(this->parts_, graph::partitioning::hash, router);
  }

  /// Finds the key of a record.
  const KeyOf& key_of() const noexcept { return key_of_; }

  /// The records of each key of this stream, which must be bounded, to be worked on as a whole at
  /// its end. Include "millrace/api/bounded_groups.hpp", as "millrace/millrace.hpp" does.
  auto full_window_partition() const;

  /// `fn(const T&, keyed_process_context<key>&, collector<U>&)`, or an object as
  /// keyed_process_function is: state and timers per key, side outputs. `U` is read off the
  /// function; a generic one needs it: `process<U>(fn)`.
  template <class U = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, processed_type<Fn>, U>;
    constexpr bool fits = element_function<Fn, T, keyed_process_context<key>, out>;
    static_assert(fits,
                  "millrace: process of a keyed stream needs a function that takes `const T&`, "
                  "`keyed_process_context<Key>&` with the stream's type of key and "
                  "`collector<U>&`, or one as keyed_process_function is; if it is generic, say "
                  "what comes out: process<U>(fn)");
    if constexpr (!fits)
      return this->template transform<T>("process", nullptr);
    else
      return keyed<out>("process", std::move(fn));
  }

  /// As on any stream; a function whose open() takes a keyed_runtime_context<key>& has state.
  template <class Fn>
  auto map(Fn fn) const {
    if constexpr (opened_with_state<Fn, key> && map_function<Fn, T>)
      return keyed<std::decay_t<std::invoke_result_t<Fn&, const T&>>>(
          "map", detail::mapping<Fn>{{std::move(fn)}});
    else
      return data_stream<T>::map(std::move(fn));
  }
  /// As map: a function may have state.
  template <class U = void, class Fn>
  auto flat_map(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, collected_type<Fn, 1>, U>;
    if constexpr (opened_with_state<Fn, key> && flat_map_function<Fn, T, out>)
      return keyed<out>("flat_map", detail::flat_mapping<Fn>{{std::move(fn)}});
    else
      return data_stream<T>::template flat_map<U>(std::move(fn));
  }
  /// As map: a function may have state.
  template <class Fn>
  single_output<T> filter(Fn fn) const {
    if constexpr (opened_with_state<Fn, key> && filter_function<Fn, T>)
      return keyed<T>("filter", detail::filtering<Fn>{{std::move(fn)}});
    else
      return data_stream<T>::filter(std::move(fn));
  }

  /// As on any stream: without the keys.
  template <class U>
  connected_streams<T, U> connect(const data_stream<U>& other) const {
    return data_stream<T>::connect(other);
  }
  /// This stream and one of another type with keys of the same type, for a function that works on
  /// both with one state per key.
  template <class U, class KeyOfU>
  keyed_connected_streams<T, KeyOf, U, KeyOfU> connect(const keyed_stream<U, KeyOfU>& other) const;
  /// This stream and a broadcast one, for a function with state per key that keeps what was
  /// broadcast.
  template <class U>
  keyed_broadcast_connected_stream<T, KeyOf, U> connect(const broadcast_stream<U>& other) const;

  /// Pairs of records of this stream and another one that have equal keys and whose times are near.
  template <class U, class KeyOfU>
  auto interval_join(const keyed_stream<U, KeyOfU>& other) const;

  /// `fn(const T& value, const T& record)` makes a key's new value; its first record is its first
  /// value.
  template <class Fn>
  single_output<T> reduce(Fn fn) const {
    static_assert(reduce_function<Fn, T>,
                  "millrace: reduce needs a function that takes two `const T&` and returns a T");
    if constexpr (reduce_function<Fn, T> && check_copyable<Fn>())
      return fold("reduce", reduce_fold<T, Fn>{std::move(fn)});
    else
      return this->template transform<T>("reduce", nullptr);
  }

  /// Adds up a field: `sum(&word_count::count)`. The other fields stay those of the key's first
  /// record. Without a field: the records themselves.
  template <class Field = std::identity>
  single_output<T> sum(Field field = {}) const {
    static_assert(summable_field<Field, T>,
                  "millrace: sum needs a pointer to a member of the record that is a number");
    if constexpr (summable_field<Field, T>)
      return fold("sum", sum_fold<Field>{field});
    else
      return this->template transform<T>("sum", nullptr);
  }

  /// The least value of a field. The other fields stay those of the key's first record.
  template <class Field = std::identity>
  single_output<T> min(Field field = {}) const {
    return extreme<extreme_fold<Field, false>>("min", field);
  }

  /// The greatest value of a field. The other fields stay those of the key's first record.
  template <class Field = std::identity>
  single_output<T> max(Field field = {}) const {
    return extreme<extreme_fold<Field, true>>("max", field);
  }

  /// The record with the least value of a field, the first of several.
  template <class Field = std::identity>
  single_output<T> min_by(Field field = {}) const {
    return extreme<extreme_by_fold<Field, false>>("min_by", field);
  }

  /// The record with the greatest value of a field, the first of several.
  template <class Field = std::identity>
  single_output<T> max_by(Field field = {}) const {
    return extreme<extreme_by_fold<Field, true>>("max_by", field);
  }

  /// Cuts the stream of each key into windows, which are then aggregated:
  ///
  ///     clicks.key_by(&click::page)
  ///         .window(sliding_event_time_windows::of(60s, 1s))
  ///         .sum(&click::count)
  template <class Assigner>
  auto window(Assigner assigner) const {
    static_assert(window_assigner<Assigner, T>,
                  "millrace: window needs a window assigner such as "
                  "tumbling_event_time_windows::of(1min)");
    static_cast<void>(check_never_opened<Assigner>());
    return windowed_stream<T, KeyOf, Assigner>(*this, key_of_, std::move(assigner));
  }

  /// A result for each `n` records of a key. What is left at the end of the stream has none.
  auto count_window(std::int64_t n) const {
    return window(global_windows::create())
        .trigger(purging_trigger<count_trigger>::of(count_trigger::of(n)));
  }
  /// At each `slide` records of a key, a result of its last `n` ones.
  auto count_window(std::int64_t n, std::int64_t slide) const {
    return window(global_windows::create())
        .trigger(count_trigger::of(slide))
        .evictor(count_evictor::of(n));
  }

 private:
  template <class Out, class Fn>
  single_output<Out> keyed(std::string kind, Fn fn) const {
    static_cast<void>(check_record<Out>() && check_copyable<Fn>() &&
                      check_keyed_function<Fn, key, Out>());
    return this->template transform<Out>(std::move(kind),
                                         make_keyed_process<T, Out>(key_of_, std::move(fn)));
  }
  template <class Fold>
  single_output<T> fold(std::string kind, Fold fold) const {
    return this->template transform<T>(std::move(kind),
                                       make_keyed_fold<T>(key_of_, std::move(fold)));
  }

  template <class Fold, class Field>
  single_output<T> extreme(std::string kind, Field field) const {
    static_assert(comparable_field<Field, T>,
                  "millrace: min, max, min_by and max_by need a pointer to a member of the record "
                  "that can be compared with <");
    if constexpr (comparable_field<Field, T>)
      return fold(std::move(kind), Fold{field});
    else
      return this->template transform<T>(std::move(kind), nullptr);
  }

  KeyOf key_of_;
};

template <class T>
template <class... KeyOf>
auto data_stream<T>::key_by(KeyOf... key_of) const {
  constexpr bool selects = sizeof...(KeyOf) > 0 && (key_selector<KeyOf, T> && ...);
  static_assert(selects,
                "millrace: key_by needs functions that take `const T&` and return the key, or "
                "pointers to members");
  if constexpr (!selects) {
    return keyed_stream<T, detail::no_key>(*this, {});
  } else if constexpr (sizeof...(KeyOf) == 1) {
    return keyed_by(std::move(key_of)...);
  } else {
    return keyed_by(composite_key<KeyOf...>{{std::move(key_of)...}});
  }
}

template <class T>
template <class KeyOf>
auto data_stream<T>::keyed_by(KeyOf key_of) const {
  if constexpr (detail::check_key<key_type<T, KeyOf>>())
    return keyed_stream<T, KeyOf>(*this, std::move(key_of));
  else
    return keyed_stream<T, detail::no_key>(*this, {});
}

template <class T>
template <class Assigner>
auto data_stream<T>::window_all(Assigner assigner) const {
  return keyed_stream<T, detail::same_for_all>(*this, {}).window(std::move(assigner));
}

template <class T>
auto data_stream<T>::count_window_all(std::int64_t n) const {
  return keyed_stream<T, detail::same_for_all>(*this, {}).count_window(n);
}

template <class T>
auto data_stream<T>::count_window_all(std::int64_t n, std::int64_t slide) const {
  return keyed_stream<T, detail::same_for_all>(*this, {}).count_window(n, slide);
}

}  // namespace millrace
