#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <variant>

#include "millrace/core/codec_traits.hpp"

/// How much memory a value holds beyond its own `sizeof`: what flow control and batch limits count.
/// An estimate, exact for strings and vectors, by node size for the others.
namespace millrace {

/// A type tells its own heap size through `codec<T>::heap_bytes(const T&)`.
template <class T>
concept tells_heap_bytes = requires(const T& value) {
  { codec<T>::heap_bytes(value) } -> std::convertible_to<std::size_t>;
};

/// Whether some value of `T` can hold memory beyond its own `sizeof`.
template <class T>
constexpr bool can_have_heap() {
  if constexpr (tells_heap_bytes<T>) {
    return true;
  } else if constexpr (shape::string<T> || shape::sequence<T> || shape::set<T> || shape::map<T>) {
    return true;  // never looks at the elements, so types that contain themselves end here
  } else if constexpr (shape::std_array<T> || shape::optional<T>) {
    return can_have_heap<typename T::value_type>();
  } else if constexpr (shape::variant<T>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return (can_have_heap<A>() || ...);
    }(std::type_identity<T>{});
  } else if constexpr (shape::product<T>) {
    return !shape::all_fields<T>([]<std::size_t I>() {
      // The key in a map's value_type is const.
      return !can_have_heap<std::remove_const_t<typename shape::fields<T>::template type<I>>>();
    });
  } else {
    return false;
  }
}

/// False if every value of `T` is all in its `sizeof`. Types that are neither aggregates nor known
/// containers count as such unless their codec has `heap_bytes`.
template <class T>
inline constexpr bool has_heap_v = can_have_heap<T>();

/// Bytes on the heap of one value; a constant 0 without `has_heap_v<T>`.
template <class T>
constexpr std::size_t heap_bytes(const T& value) {
  // What the standard library adds to each element of a node-based container, in words.
  constexpr std::size_t list_links = 2 * sizeof(void*);
  constexpr std::size_t tree_links = 4 * sizeof(void*);
  constexpr std::size_t hash_links = 2 * sizeof(void*);

  [[maybe_unused]] const auto of_elements = [&] {
    std::size_t bytes = 0;
    if constexpr (requires { value.begin(); }) {
      if constexpr (has_heap_v<typename T::value_type>)
        for (const auto& item : value) bytes += heap_bytes(item);
    }
    return bytes;
  };

  if constexpr (!has_heap_v<T>) {
    return 0;
  } else if constexpr (tells_heap_bytes<T>) {
    return codec<T>::heap_bytes(value);
  } else if constexpr (shape::string<T>) {
    constexpr std::size_t inside_max = 15;
    return value.capacity() > inside_max ? value.capacity() + 1 : 0;
  } else if constexpr (shape::is_instance<T, std::vector>) {
    if constexpr (std::same_as<typename T::value_type, bool>)
      return value.capacity() / 8;
    else
      return value.capacity() * sizeof(typename T::value_type) + of_elements();
  } else if constexpr (shape::is_instance<T, std::deque>) {
    return value.size() * sizeof(typename T::value_type) + of_elements();
  } else if constexpr (shape::is_instance<T, std::list>) {
    return value.size() * (sizeof(typename T::value_type) + list_links) + of_elements();
  } else if constexpr (shape::tree_set<T> || shape::tree_map<T>) {
    return value.size() * (sizeof(typename T::value_type) + tree_links) + of_elements();
  } else if constexpr (shape::hash_set<T> || shape::hash_map<T>) {
    return value.size() * (sizeof(typename T::value_type) + hash_links) +
           value.bucket_count() * sizeof(void*) + of_elements();
  } else if constexpr (shape::std_array<T>) {
    return of_elements();
  } else if constexpr (shape::optional<T>) {
    return value ? heap_bytes(*value) : 0;
  } else if constexpr (shape::variant<T>) {
    return value.valueless_by_exception()
               ? 0
               : std::visit([](const auto& held) { return heap_bytes(held); }, value);
  } else {
    std::size_t bytes = 0;
    shape::each_field(value, [&](const auto& field) { bytes += heap_bytes(field); });
    return bytes;
  }
}

}  // namespace millrace
