#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "millrace/core/codec.hpp"

namespace millrace {

/// The 64-bit fingerprint of a description: XXH3 of "millrace-codec/<version>:<description>".
std::uint64_t fingerprint_of_description(std::string_view description);

namespace detail {

template <class T, class First, class... Rest>
constexpr std::size_t levels_up() {
  if constexpr (std::same_as<T, First>)
    return 1;
  else
    return 1 + levels_up<T, Rest...>();
}

template <class... T>
struct type_list {};

template <class T, class... Enclosing>
void append_description(std::string& out, type_list<Enclosing...> enclosing);

template <class... Parts, class... Enclosing>
void append_generic(std::string& out, const char* name, type_list<Parts...>,
                    type_list<Enclosing...> enclosing) {
  out += name;
  out += '<';
  bool first = true;
  ((out += first ? "" : ",", first = false, append_description<Parts>(out, enclosing)), ...);
  out += '>';
}

template <class... A>
type_list<A...> alternatives(const std::variant<A...>*);

/// `Enclosing` are the aggregates around `T`, innermost first: one that contains itself is written
/// as "^<levels up>".
template <class T, class... Enclosing>
void append_description(std::string& out, type_list<Enclosing...> around) {
  if constexpr ((std::same_as<T, Enclosing> || ...)) {
    out += '^' + std::to_string(levels_up<T, Enclosing...>());
  } else if constexpr (has_custom_codec<T>) {
    out += '\'';
    out += codec<T>::type_name;
    out += '\'';
  } else if constexpr (std::same_as<T, bool>) {
    out += "bool";
  } else if constexpr (std::same_as<T, char>) {
    out += "char";
  } else if constexpr (shape::arithmetic<T>) {
    out += std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
    out += std::to_string(8 * sizeof(T));
  } else if constexpr (shape::enumeration<T>) {
    append_generic(out, "enum", type_list<std::underlying_type_t<T>>{}, around);
  } else if constexpr (shape::string<T>) {
    out += "str";
  } else if constexpr (shape::monostate<T>) {
    out += "{}";
  } else if constexpr (shape::duration<T> || shape::time_point<T>) {
    append_generic(out, shape::duration<T> ? "duration" : "time", type_list<typename T::rep>{},
                   around);
    out += '/' + std::to_string(T::period::num) + ':' + std::to_string(T::period::den);
  } else if constexpr (shape::sequence<T>) {
    append_generic(out, "vec", type_list<typename T::value_type>{}, around);
  } else if constexpr (shape::set<T>) {
    append_generic(out, "set", type_list<typename T::value_type>{}, around);
  } else if constexpr (shape::map<T>) {
    append_generic(out, "map", type_list<typename T::key_type, typename T::mapped_type>{}, around);
  } else if constexpr (shape::std_array<T>) {
    append_generic(out, "array", type_list<typename T::value_type>{}, around);
    out += 'x' + std::to_string(std::tuple_size_v<T>);
  } else if constexpr (shape::optional<T>) {
    append_generic(out, "opt", type_list<typename T::value_type>{}, around);
  } else if constexpr (shape::variant<T>) {
    append_generic(out, "variant", decltype(alternatives(static_cast<T*>(nullptr))){}, around);
  } else {
    out += '{';
    shape::all_fields<T>([&]<std::size_t I>() {
      if (I != 0) out += ',';
      append_description<typename shape::fields<T>::template type<I>>(out,
                                                                      type_list<T, Enclosing...>{});
      return true;
    });
    out += '}';
  }
}

}  // namespace detail

/// The structure of `T` as the codec sees it: "{i64,str,vec<f64>}" for a struct of those. Types
/// with equal descriptions have interchangeable encodings. Names of types and fields are no part of
/// it, except the `type_name` of codecs that users wrote.
template <encodable T>
const std::string& describe_type() {
  static const std::string description = [] {
    std::string out;
    detail::append_description<T>(out, detail::type_list<>{});
    return out;
  }();
  return description;
}

/// A number that is equal on both ends of a stream exactly if they agree about the encoding of the
/// record type: the same on every node, compiler and run.
template <encodable T>
std::uint64_t fingerprint_of() {
  static const std::uint64_t fingerprint = fingerprint_of_description(describe_type<T>());
  return fingerprint;
}

}  // namespace millrace
