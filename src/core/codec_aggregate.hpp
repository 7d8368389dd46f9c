#pragma once

#include <cstddef>
#include <cstring>

#include "millrace/core/codec_traits.hpp"

namespace millrace {

/// Aggregates, pairs and tuples: their fields one after the other, nothing in between. All three
/// encode alike, and so does a struct in place of its own fields.
template <shape::product T>
struct codec<T> {
  template <std::size_t I>
  using field = typename shape::fields<T>::template type<I>;

  static constexpr std::size_t fixed_size = [] {
    std::size_t bytes = 0;
    const bool fixed = shape::all_fields<T>([&]<std::size_t I>() {
      bytes += fixed_encoded_size<field<I>>();
      return is_fixed_size<field<I>>;
    });
    return fixed ? bytes : variable_size;
  }();

  static constexpr std::size_t min_size = [] {
    std::size_t bytes = 0;
    shape::all_fields<T>([&]<std::size_t I>() {
      bytes += min_encoded_size<field<I>>();
      return true;
    });
    return bytes;
  }();

  static void write(byte_writer& out, const T& value) {
    if constexpr (is_fixed_size<T>) {
      store(out.grow(fixed_size), value);
    } else {
      shape::all_fields<T>([&]<std::size_t I>() {
        codec<field<I>>::write(out, shape::fields<T>::template get<I>(value));
        return true;
      });
    }
  }

  static bool read(byte_reader& in, T& value) {
    if constexpr (is_fixed_size<T>) {
      const std::byte* bytes = in.take(fixed_size);
      if (bytes == nullptr) return false;
      return load(bytes, value) || in.fail("a bool is neither 0 nor 1");
    } else {
      return shape::all_fields<T>([&]<std::size_t I>() -> bool {
        return codec<field<I>>::read(in, shape::fields<T>::template get<I>(value));
      });
    }
  }

  static void store(std::byte* out, const T& value) noexcept {
    if constexpr (is_bulk_copyable<T>) {
      std::memcpy(out, &value, sizeof(T));
    } else {
      shape::all_fields<T>([&]<std::size_t I>() {
        codec<field<I>>::store(out, shape::fields<T>::template get<I>(value));
        out += fixed_encoded_size<field<I>>();
        return true;
      });
    }
  }

  static bool load(const std::byte* in, T& value) noexcept {
    if constexpr (is_bulk_copyable<T>) {
      std::memcpy(&value, in, sizeof(T));
      return true;
    } else {
      return shape::all_fields<T>([&]<std::size_t I>() {
        const bool good = codec<field<I>>::load(in, shape::fields<T>::template get<I>(value));
        in += fixed_encoded_size<field<I>>();
        return good;
      });
    }
  }
};

}  // namespace millrace
