#pragma once

#include <array>
#include <boost/pfr.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

/// What kind of thing a record's field is. The codec, the fingerprint, the key hash and the memory
/// estimate all walk types by these concepts.
namespace millrace::shape {

template <class T, template <class...> class Template>
inline constexpr bool is_instance = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_instance<Template<Args...>, Template> = true;

/// Arithmetic types with one representation on every platform we run on (no long double, no
/// 128-bit integers).
template <class T>
concept arithmetic = std::same_as<T, float> || std::same_as<T, double> ||
    (std::integral<T> && sizeof(T) <= 8 && !std::is_const_v<T>);

template <class T>
concept enumeration = std::is_enum_v<T> && !std::is_const_v<T>;

template <class T>
concept string = std::same_as<T, std::string>;

template <class T>
concept duration = is_instance<T, std::chrono::duration>;
template <class T>
concept time_point = is_instance<T, std::chrono::time_point>;

template <class T>
concept sequence =
    is_instance<T, std::vector> || is_instance<T, std::deque> || is_instance<T, std::list>;
template <class T>
concept tree_set = is_instance<T, std::set> || is_instance<T, std::multiset>;
template <class T>
concept hash_set = is_instance<T, std::unordered_set> || is_instance<T, std::unordered_multiset>;
template <class T>
concept tree_map = is_instance<T, std::map> || is_instance<T, std::multimap>;
template <class T>
concept hash_map = is_instance<T, std::unordered_map> || is_instance<T, std::unordered_multimap>;
template <class T>
concept set = tree_set<T> || hash_set<T>;
template <class T>
concept map = tree_map<T> || hash_map<T>;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;
template <class T>
concept std_array = is_std_array<T>;

template <class T>
concept optional = is_instance<T, std::optional>;
template <class T>
concept variant = is_instance<T, std::variant>;
template <class T>
concept monostate = std::same_as<T, std::monostate>;

template <class T>
concept tuple = is_instance<T, std::pair> || is_instance<T, std::tuple>;

namespace detail {

/// Becomes any base of `T`.
template <class T>
struct any_base {
  template <class Base>
  requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base() const;
};

/// Become any field of `T`: what a braced list takes, one initialiser for each.
template <class T>
struct any_value {
  template <class Field>
  requires(!std::is_same_v<Field, T>) operator Field() const;
};
template <class T>
struct any_reference {
  template <class Field>
  requires(!std::is_same_v<Field, T>) operator Field&() const;
};

template <class T, template <class> class Any, std::size_t... I>
consteval bool takes_one_each(std::index_sequence<I...>) {
  return requires {
    T((static_cast<void>(I), Any<T>{})...);
  };
}

template <class T>
concept inherits = requires {
  T{any_base<T>{}};
};

/// In braces every element of a C array takes an initialiser, which is how Boost.PFR counts fields;
/// in parentheses an array takes none of these.
template <class T>
consteval bool holds_c_array() {
#if __cpp_aggregate_paren_init >= 201902L
  if constexpr (!std::is_empty_v<T>) {
    constexpr auto each = std::make_index_sequence<boost::pfr::tuple_size_v<T>>{};
    return !takes_one_each<T, any_value>(each) && !takes_one_each<T, any_reference>(each);
  }
#endif
  return false;
}

}  // namespace detail

/// A struct of public members without constructors, bases or C arrays, whose fields Boost.PFR
/// finds. It ends the compilation at the last two in words of its own, so they must not reach it.
template <class T>
concept aggregate =
    std::is_class_v<T> && std::is_aggregate_v<T> && !std::is_const_v<T> && !std_array<T> &&
    !monostate<T> && !detail::inherits<T> && !detail::holds_c_array<T>();

/// Several fields, each of its own type: aggregates, pairs, tuples.
template <class T>
concept product = tuple<T> || aggregate<T>;

template <class T>
struct fields;

template <tuple T>
struct fields<T> {
  static constexpr std::size_t count = std::tuple_size_v<T>;
  template <std::size_t I>
  using type = std::tuple_element_t<I, T>;
  template <std::size_t I>
  static constexpr auto& get(auto& value) noexcept {
    return std::get<I>(value);
  }
};

template <aggregate T>
struct fields<T> {
  // PFR asks for at least one field, so an empty struct must not reach it.
  static constexpr std::size_t count = [] {
    if constexpr (std::is_empty_v<T>)
      return std::size_t{0};
    else
      return boost::pfr::tuple_size_v<T>;
  }();
  template <std::size_t I>
  using type = boost::pfr::tuple_element_t<I, T>;
  template <std::size_t I>
  static constexpr auto& get(auto& value) noexcept {
    return boost::pfr::get<I>(value);
  }
};

/// Calls `visit.template operator()<I>()` for each field index of a product until one returns
/// false. Whether none did.
template <product T, class Visit>
constexpr bool all_fields(Visit&& visit) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return (visit.template operator()<I>() && ...);
  }
  (std::make_index_sequence<fields<T>::count>{});
}

/// Calls `visit(field)` for each field of a value, in order of declaration.
template <class Value, class Visit>
constexpr void each_field(Value& value, Visit&& visit) {
  using T = std::remove_const_t<Value>;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(fields<T>::template get<I>(value)), ...);
  }
  (std::make_index_sequence<fields<T>::count>{});
}

}  // namespace millrace::shape
