#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <variant>

#include "millrace/core/codec.hpp"
#include "millrace/core/type_shape.hpp"

/// Keys that are the same by `same_key` must be the same bytes in a table of bytes: every NaN is
/// one, and -0 is 0. All else is encoded alike if it is equal.
namespace millrace {

template <class T>
consteval bool has_floating_point() {
  if constexpr (has_custom_codec<T>) {
    return false;
  } else if constexpr (std::floating_point<T>) {
    return true;
  } else if constexpr (shape::duration<T> || shape::time_point<T>) {
    return std::floating_point<typename T::rep>;
  } else if constexpr (shape::sequence<T> || shape::std_array<T> || shape::optional<T>) {
    return has_floating_point<typename T::value_type>();
  } else if constexpr (shape::variant<T>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return (has_floating_point<A>() || ...);
    }(std::type_identity<T>{});
  } else if constexpr (shape::product<T>) {
    return !shape::all_fields<T>([]<std::size_t I>() {
      return !has_floating_point<typename shape::fields<T>::template type<I>>();
    });
  } else {
    return false;
  }
}

template <class T>
void make_canonical(T& value) {
  if constexpr (!has_floating_point<T>()) {
    return;
  } else if constexpr (std::floating_point<T>) {
    if (value != value)
      value = std::numeric_limits<T>::quiet_NaN();
    else if (value == 0)
      value = 0;
  } else if constexpr (shape::duration<T>) {
    auto count = value.count();
    make_canonical(count);
    value = T(count);
  } else if constexpr (shape::time_point<T>) {
    auto since_epoch = value.time_since_epoch();
    make_canonical(since_epoch);
    value = T(since_epoch);
  } else if constexpr (shape::sequence<T> || shape::std_array<T>) {
    for (auto& each : value) make_canonical(each);
  } else if constexpr (shape::optional<T>) {
    if (value) make_canonical(*value);
  } else if constexpr (shape::variant<T>) {
    std::visit([](auto& held) { make_canonical(held); }, value);
  } else {
    shape::all_fields<T>([&]<std::size_t I>() {
      make_canonical(shape::fields<T>::template get<I>(value));
      return true;
    });
  }
}

/// Appends a key, or a part of one.
template <class T>
void encode_canonical(byte_writer& out, const T& key) {
  if constexpr (has_floating_point<T>()) {
    T canonical = key;
    make_canonical(canonical);
    encode(out, canonical);
  } else {
    encode(out, key);
  }
}

}  // namespace millrace
