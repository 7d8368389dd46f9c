#pragma once

#include <tuple>

#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/operators/keyed_fold.hpp"

namespace millrace {

/// Finds the key of a record: a function, a pointer to member, `field<I>`.
template <class KeyOf, class T>
concept key_selector = std::invocable<const KeyOf&, const T&> &&
    !std::is_void_v<std::invoke_result_t<const KeyOf&, const T&>>;

/// A key of several parts, as a tuple.
template <class... KeyOf>
struct composite_key {
  std::tuple<KeyOf...> parts;

  template <class T>
  auto operator()(const T& record) const {
    return std::apply(
        [&](const auto&... part) {
          return std::tuple<std::decay_t<decltype(std::invoke(part, record))>...>(
              std::invoke(part, record)...);
        },
        parts);
  }
};

namespace detail {

/// Stands in after a compile error, so that no others follow from it.
struct no_key {
  template <class T>
  int operator()(const T&) const noexcept {
    return 0;
  }
};

}  // namespace detail

}  // namespace millrace
