#pragma once

#include <memory>
#include <string>
#include <utility>

#include "millrace/api/keyed_stream.hpp"
#include "millrace/operators/co_process.hpp"

namespace millrace {

namespace detail {

/// Two streams that one operator is to read, each on an input of its own.
template <class T1, class T2>
class stream_pair {
 public:
  /// Throws `failure(invalid_argument)` if they belong to two environments.
  stream_pair(data_stream<T1> first, data_stream<T2> second)
      : first_(std::move(first)), second_(std::move(second)) {
    if (first_.builder_ != second_.builder_)
      throw failure(errc::invalid_argument,
                    "streams of two environments can't be connected: describe a job with one "
                    "stream_environment");
  }

  template <class Out>
  single_output<Out> transform(std::string kind, operator_factory_ptr factory) const {
    graph::stream_node node;
    node.kind = std::move(kind);
    const auto& builder = first_.builder_;
    const auto id = builder->add_operator(std::move(node), std::move(factory));
    for (const auto& part : first_.parts_) builder->connect(part, id, 0);
    for (const auto& part : second_.parts_) builder->connect(part, id, 1);
    return single_output<Out>(builder, id);
  }

  const data_stream<T1>& first() const noexcept { return first_; }
  const data_stream<T2>& second() const noexcept { return second_; }

 private:
  data_stream<T1> first_;
  data_stream<T2> second_;
};

/// What two functions that map return.
template <class T1, class T2, class Fn1, class Fn2>
consteval auto find_co_mapped() {
  constexpr bool fits = map_function<Fn1, T1> && map_function<Fn2, T2>;
  static_assert(fits,
                "millrace: map of two streams needs two functions that take `const T1&` and "
                "`const T2&` and return a value");
  if constexpr (fits) {
    using out = std::decay_t<std::invoke_result_t<Fn1&, const T1&>>;
    static_assert(std::same_as<out, std::decay_t<std::invoke_result_t<Fn2&, const T2&>>>,
                  "millrace: both functions of map must return the same type");
    return std::type_identity<out>{};
  } else {
    return std::type_identity<void>{};
  }
}
template <class T1, class T2, class Fn1, class Fn2>
using co_mapped_type = typename decltype(find_co_mapped<T1, T2, Fn1, Fn2>())::type;

/// The same for the methods of one object.
template <class T1, class T2, class Fn>
consteval auto find_co_map_methods() {
  constexpr bool fits = co_map_function<Fn, T1, T2>;
  static_assert(fits,
                "millrace: map of two streams needs two functions, or an object with "
                "`map1(const T1&)` and `map2(const T2&)` that return the same type");
  if constexpr (fits)
    return std::type_identity<
        std::decay_t<decltype(std::declval<Fn&>().map1(std::declval<const T1&>()))>>{};
  else
    return std::type_identity<void>{};
}
template <class T1, class T2, class Fn>
using co_map_methods_type = typename decltype(find_co_map_methods<T1, T2, Fn>())::type;

template <class T1, class T2, class Out, class Fn1, class Fn2>
consteval void check_co_flat_map() {
  static_assert(flat_map_function<Fn1, T1, Out> && flat_map_function<Fn2, T2, Out>,
                "millrace: flat_map of two streams needs two functions that take `const T1&` or "
                "`const T2&`, and the same `collector<Out>&`");
}
template <class T1, class T2, class Out, class Fn>
consteval void check_co_flat_map_methods() {
  static_assert(co_flat_map_function<Fn, T1, T2, Out>,
                "millrace: flat_map of two streams needs two functions, or an object with "
                "`flat_map1(const T1&, collector<Out>&)` and `flat_map2(const T2&, "
                "collector<Out>&)`");
}

}  // namespace detail

/// Two keyed streams with one type of key, to be worked on by one function with one state per key
/// (Flink's ConnectedStreams of two KeyedStreams).
template <class T1, class KeyOf1, class T2, class KeyOf2>
class keyed_connected_streams {
 public:
  /// The type of the keys of both.
  using key = key_type<T1, KeyOf1>;

  keyed_connected_streams(const keyed_stream<T1, KeyOf1>& first,
                          const keyed_stream<T2, KeyOf2>& second)
      : streams_(first, second), key_of1_(first.key_of()), key_of2_(second.key_of()) {}

  /// `fn1(const T1&)` and `fn2(const T2&)` make one record of each record. Functions whose open()
  /// takes a keyed_runtime_context<key>& have state, one for both if its descriptor is the same.
  template <class Fn1, class Fn2>
  auto map(Fn1 fn1, Fn2 fn2) const {
    using out = detail::co_mapped_type<T1, T2, Fn1, Fn2>;
    return add<out, Fn1, Fn2>("co_map",
                              detail::co_mapping<Fn1, Fn2>{{std::move(fn1), std::move(fn2)}});
  }
  /// The same by one object, as co_map_function: with `map1(const T1&)` and `map2(const T2&)`.
  template <class Fn>
  auto map(Fn fn) const {
    using out = detail::co_map_methods_type<T1, T2, Fn>;
    return add<out, Fn>("co_map", detail::co_map_methods<Fn>{{std::move(fn)}});
  }

  /// `fn1(const T1&, collector<Out>&)` and `fn2(const T2&, collector<Out>&)`, else as map.
  template <class Out = void, class Fn1, class Fn2>
  auto flat_map(Fn1 fn1, Fn2 fn2) const {
    using out = std::conditional_t<std::is_void_v<Out>, collected_type<Fn1, 1>, Out>;
    detail::check_co_flat_map<T1, T2, out, Fn1, Fn2>();
    return add<out, Fn1, Fn2>("co_flat_map",
                              detail::co_flat_mapping<Fn1, Fn2>{{std::move(fn1), std::move(fn2)}});
  }
  /// The same by one object, as co_flat_map_function: with `flat_map1(const T1&, collector<Out>&)`
  /// and `flat_map2(const T2&, collector<Out>&)`.
  template <class Out = void, class Fn>
  auto flat_map(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, co_flat_mapped_type<Fn>, Out>;
    detail::check_co_flat_map_methods<T1, T2, out, Fn>();
    return add<out, Fn>("co_flat_map", detail::co_flat_map_methods<Fn>{{std::move(fn)}});
  }

  /// `fn` is as keyed_co_process_function. What it emits is read off process_element1; a generic
  /// one needs it: process<Out>(fn).
  template <class Out = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, co_processed_type<Fn>, Out>;
    static_assert(co_element_function<Fn, T1, T2, keyed_process_context<key>, out>,
                  "millrace: process of two keyed streams needs a function as "
                  "keyed_co_process_function is; if it is generic, say what comes out: "
                  "process<Out>(fn)");
    return add<out, Fn>("co_process", std::move(fn));
  }

 private:
  /// `Fns` are the user's functions that `fn` is made of.
  template <class Out, class... Fns, class Fn>
  single_output<Out> add(std::string kind, Fn fn) const {
    static_cast<void>(check_record<Out>() && (check_copyable<Fns>() && ...) &&
                      (check_keyed_function<Fns, key, Out>() && ...));
    return streams_.template transform<Out>(
        std::move(kind), make_keyed_co_process<T1, T2, Out>(key_of1_, key_of2_, std::move(fn)));
  }

  detail::stream_pair<T1, T2> streams_;
  KeyOf1 key_of1_;
  KeyOf2 key_of2_;
};

/// Two streams of different types, to be worked on by one function. Records of the two come in no
/// particular order.
template <class T1, class T2>
class connected_streams {
 public:
  connected_streams(const data_stream<T1>& first, const data_stream<T2>& second)
      : streams_(first, second) {}

  /// Both by their keys, which must be of one type.
  template <class KeyOf1, class KeyOf2>
  auto key_by(KeyOf1 key_of1, KeyOf2 key_of2) const {
    return streams_.first()
        .key_by(std::move(key_of1))
        .connect(streams_.second().key_by(std::move(key_of2)));
  }

  /// `fn1(const T1&)` and `fn2(const T2&)` make one record of each record (Flink's CoMapFunction).
  template <class Fn1, class Fn2>
  auto map(Fn1 fn1, Fn2 fn2) const {
    using out = detail::co_mapped_type<T1, T2, Fn1, Fn2>;
    return add<out>("co_map", detail::co_mapping<Fn1, Fn2>{{std::move(fn1), std::move(fn2)}});
  }
  /// The same by one object, as co_map_function: with `map1(const T1&)` and `map2(const T2&)`.
  template <class Fn>
  auto map(Fn fn) const {
    using out = detail::co_map_methods_type<T1, T2, Fn>;
    return add<out>("co_map", detail::co_map_methods<Fn>{{std::move(fn)}});
  }

  /// `fn1(const T1&, collector<Out>&)` and `fn2(const T2&, collector<Out>&)` (Flink's
  /// CoFlatMapFunction). `Out` is read off the first; a generic one needs it: flat_map<Out>(…).
  template <class Out = void, class Fn1, class Fn2>
  auto flat_map(Fn1 fn1, Fn2 fn2) const {
    using out = std::conditional_t<std::is_void_v<Out>, collected_type<Fn1, 1>, Out>;
    detail::check_co_flat_map<T1, T2, out, Fn1, Fn2>();
    return add<out>("co_flat_map",
                    detail::co_flat_mapping<Fn1, Fn2>{{std::move(fn1), std::move(fn2)}});
  }
  /// The same by one object, as co_flat_map_function: with `flat_map1(const T1&, collector<Out>&)`
  /// and `flat_map2(const T2&, collector<Out>&)`.
  template <class Out = void, class Fn>
  auto flat_map(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, co_flat_mapped_type<Fn>, Out>;
    detail::check_co_flat_map_methods<T1, T2, out, Fn>();
    return add<out>("co_flat_map", detail::co_flat_map_methods<Fn>{{std::move(fn)}});
  }

  /// `fn` is as co_process_function. What it emits is read off process_element1; a generic one
  /// needs it: process<Out>(fn).
  template <class Out = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, co_processed_type<Fn>, Out>;
    static_assert(co_element_function<Fn, T1, T2, process_context, out>,
                  "millrace: process of two streams needs a function as co_process_function is; "
                  "if it is generic, say what comes out: process<Out>(fn)");
    return add<out>("co_process", std::move(fn));
  }

 private:
  template <class Out, class Fn>
  single_output<Out> add(std::string kind, Fn fn) const {
    static_cast<void>(check_record<Out>() && check_copyable<Fn>());
    return streams_.template transform<Out>(std::move(kind),
                                            make_co_process<T1, T2, Out>(std::move(fn)));
  }

  detail::stream_pair<T1, T2> streams_;
};

template <class T>
template <class U>
connected_streams<T, U> data_stream<T>::connect(const data_stream<U>& other) const {
  return {*this, other};
}

template <class T, class KeyOf>
template <class U, class KeyOfU>
keyed_connected_streams<T, KeyOf, U, KeyOfU> keyed_stream<T, KeyOf>::connect(
    const keyed_stream<U, KeyOfU>& other) const {
  static_assert(std::same_as<key, key_type<U, KeyOfU>>,
                "millrace: connected keyed streams need keys of the same type");
  return {*this, other};
}

}  // namespace millrace
