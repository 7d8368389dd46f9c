#pragma once

#include "millrace/api/data_stream.hpp"
#include "millrace/operators/fold.hpp"
#include "millrace/operators/keyed_fold.hpp"

namespace millrace {

/// A stream whose records of one key go to one subtask. What it aggregates it keeps per key: in
/// streaming mode every record is answered by its key's new value, in batch mode each key's last
/// value comes out once, at the end.
template <class T, class KeyOf>
class keyed_stream : public data_stream<T> {
 public:
  using key = key_type<T, KeyOf>;

  keyed_stream(const data_stream<T>& stream, KeyOf key_of)
      : data_stream<T>(stream), key_of_(std::move(key_of)) {
    const auto router = std::make_shared<keyed_router_factory<T, KeyOf>>(key_of_);
    for (auto& part : this->parts_) part = {part.node, graph::partitioning::hash, true, router};
  }

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

 private:
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

}  // namespace millrace
