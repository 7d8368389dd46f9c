#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/codec_primitives.hpp"

/// Codecs of containers: the number of elements as a LEB128 length of at most 32 bits, then the
/// elements. Arrays have no length. Lengths are checked against the bytes that are left before
/// memory is allocated.
namespace millrace {

/// Elements one after the other: at once if their memory is their encoding, else with one check of
/// the room for all of them if their size is fixed.
template <class T>
void write_elements(byte_writer& out, std::span<const T> elements) {
  if constexpr (is_bulk_copyable<T>) {
    out.put_bytes(elements.data(), elements.size_bytes());
  } else if constexpr (is_fixed_size<T>) {
    constexpr std::size_t step = fixed_encoded_size<T>();
    std::byte* room = out.grow(elements.size() * step);
    for (const T& element : elements) {
      codec<T>::store(room, element);
      room += step;
    }
  } else {
    for (const T& element : elements) codec<T>::write(out, element);
  }
}

/// Reads what write_elements wrote into all of `elements`. False after an error, which `in`
/// remembers.
template <class T>
bool read_elements(byte_reader& in, std::span<T> elements) {
  if constexpr (is_fixed_size<T>) {
    constexpr std::size_t step = fixed_encoded_size<T>();
    const std::byte* bytes = in.take(elements.size() * step);
    if (bytes == nullptr) return false;
    if constexpr (is_bulk_copyable<T>) {
      if (!elements.empty()) std::memcpy(elements.data(), bytes, elements.size_bytes());
    } else {
      for (T& element : elements) {
        if (!codec<T>::load(bytes, element)) return in.fail("a bool is neither 0 nor 1");
        bytes += step;
      }
    }
    return true;
  } else {
    for (T& element : elements)
      if (!codec<T>::read(in, element)) return false;
    return true;
  }
}

template <class T, class Allocator>
struct codec<std::vector<T, Allocator>> {
  using type = std::vector<T, Allocator>;
  static constexpr std::size_t min_size = 1;

  static void write(byte_writer& out, const type& value) {
    const byte_writer::nesting nesting(out);
    check_weightless(value.size());
    out.put_length(value.size());
    if constexpr (std::same_as<T, bool>) {
      std::byte* room = out.grow(value.size());
      for (const bool element : value) *room++ = static_cast<std::byte>(element);
    } else {
      write_elements<T>(out, value);
    }
  }

  static bool read(byte_reader& in, type& value) {
    const byte_reader::nesting nesting(in);
    std::size_t count = 0;
    if (!nesting || !in.get_count(count, min_encoded_size<T>(), sizeof(T))) return false;
    if constexpr (std::same_as<T, std::byte>) {
      const std::byte* bytes = in.take(count);
      value.assign(bytes, bytes + count);
      return true;
    } else if constexpr (std::same_as<T, bool>) {
      const std::byte* bytes = in.take(count);
      value.resize(count);
      for (std::size_t i = 0; i < count; ++i) {
        bool element = false;
        if (!codec<bool>::load(bytes + i, element)) return in.fail("a bool is neither 0 nor 1");
        value[i] = element;
      }
      return true;
    } else if constexpr (is_fixed_size<T>) {
      value.resize(count);
      return read_elements<T>(in, value);
    } else {
      // A short element can be larger in memory than in bytes: what a length alone may reserve
      // is bounded, beyond that memory follows the elements that are really there.
      constexpr std::size_t reserve_max = std::max<std::size_t>(1, (1u << 20) / sizeof(T));
      value.clear();
      value.reserve(std::min(count, reserve_max));
      for (std::size_t i = 0; i < count; ++i)
        if (!codec<T>::read(in, value.emplace_back())) return false;
      return true;
    }
  }

 private:
  static void check_weightless(std::size_t count) {
    if constexpr (min_encoded_size<T>() == 0) {
      if (count > codec_weightless_bytes_max / sizeof(T))
        throw failure(errc::invalid_data,
                      "can't encode " + std::to_string(count) + " elements without content");
    }
  }
};

/// std::array: its elements, without a length.
template <class T, std::size_t N>
struct codec<std::array<T, N>> {
  using type = std::array<T, N>;
  static constexpr std::size_t fixed_size =
      is_fixed_size<T> ? N * fixed_encoded_size<T>() : variable_size;
  static constexpr std::size_t min_size = N * min_encoded_size<T>();

  static void write(byte_writer& out, const type& value) { write_elements<T>(out, value); }
  static bool read(byte_reader& in, type& value) { return read_elements<T>(in, value); }

  static void store(std::byte* out, const type& value) noexcept {
    if constexpr (is_bulk_copyable<type>) {
      std::memcpy(out, value.data(), sizeof(type));
    } else {
      for (const T& element : value) {
        codec<T>::store(out, element);
        out += fixed_encoded_size<T>();
      }
    }
  }
  static bool load(const std::byte* in, type& value) noexcept {
    if constexpr (is_bulk_copyable<type>) {
      std::memcpy(value.data(), in, sizeof(type));
    } else {
      for (T& element : value) {
        if (!codec<T>::load(in, element)) return false;
        in += fixed_encoded_size<T>();
      }
    }
    return true;
  }
};

/// Containers that are filled element by element: std::deque, std::list, sets and maps, ordered or
/// not. Equal unordered containers may encode to different bytes. Keys that occur twice where they
/// must not are refused.
template <class T>
requires(shape::sequence<T> || shape::set<T> || shape::map<T>) struct codec<T> {
  // What is decoded: a map's value_type has a const key.
  static auto element_type() {
    if constexpr (shape::map<T>)
      return std::type_identity<std::pair<typename T::key_type, typename T::mapped_type>>{};
    else
      return std::type_identity<typename T::value_type>{};
  }
  using element = typename decltype(element_type())::type;
  static constexpr std::size_t min_size = 1;

  static void write(byte_writer& out, const T& value) {
    const byte_writer::nesting nesting(out);
    if (min_encoded_size<element>() == 0 &&
        value.size() > codec_weightless_bytes_max / sizeof(element))
      throw failure(errc::invalid_data,
                    "can't encode " + std::to_string(value.size()) + " elements without content");
    out.put_length(value.size());
    for (const auto& item : value) {
      if constexpr (shape::map<T>) {
        codec<typename T::key_type>::write(out, item.first);
        codec<typename T::mapped_type>::write(out, item.second);
      } else {
        codec<element>::write(out, item);
      }
    }
  }

  static bool read(byte_reader& in, T& value) {
    const byte_reader::nesting nesting(in);
    std::size_t count = 0;
    if (!nesting || !in.get_count(count, min_encoded_size<element>(), sizeof(element)))
      return false;
    value.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (shape::sequence<T>) {
        if (!codec<element>::read(in, value.emplace_back())) return false;
      } else {
        element item{};
        if (!codec<element>::read(in, item)) return false;
        // Encoders of ordered containers write in order, which makes the hint free.
        const std::size_t before = value.size();
        value.emplace_hint(value.end(), std::move(item));
        if (value.size() == before) return in.fail("a set or map holds the same key twice");
      }
    }
    return true;
  }
};

}  // namespace millrace
