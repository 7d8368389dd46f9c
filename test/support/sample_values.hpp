#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "millrace/core/type_shape.hpp"

namespace millrace::test {

/// Fills any value the codec knows with distinct contents: no field stays at its default, every
/// container has two elements, every optional a value. Deterministic.
class sample_values {
 public:
  template <class T>
  T make() {
    T value{};
    fill(value);
    return value;
  }

  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = true;
    } else if constexpr (shape::arithmetic<T> || shape::enumeration<T>) {
      value = static_cast<T>(next_++ % 100 + 1);
    } else if constexpr (shape::string<T>) {
      value = "text " + std::to_string(next_++);
    } else if constexpr (shape::map<T>) {
      for (int i = 0; i < 2; ++i)
        value.emplace(make<typename T::key_type>(), make<typename T::mapped_type>());
    } else if constexpr (shape::sequence<T>) {
      for (int i = 0; i < 2; ++i) value.push_back(make<typename T::value_type>());
    } else if constexpr (shape::optional<T>) {
      value = make<typename T::value_type>();
    } else if constexpr (shape::variant<T>) {
      constexpr std::size_t last = std::variant_size_v<T> - 1;
      value = make<std::variant_alternative_t<last, T>>();
    } else {
      shape::each_field(value, [this](auto& field) { fill(field); });
    }
  }

 private:
  std::uint64_t next_ = 1;
};

}  // namespace millrace::test
