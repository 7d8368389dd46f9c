#pragma once

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <variant>

#include "millrace/core/codec_traits.hpp"

/// Codecs of single values. Numbers are little-endian at their own width, floats by their bits
/// (every NaN and -0 survives), bool is one byte 0 or 1, a string is its length and its bytes.
namespace millrace {

/// `write` and `read` of types with a fixed size, from their `store` and `load`.
template <class T>
struct fixed_size_codec {
  /// Appends the value's `fixed_size` bytes.
  static void write(byte_writer& out, const T& value) {
    codec<T>::store(out.grow(codec<T>::fixed_size), value);
  }
  /// False, which `in` remembers, if the bytes end or are no such value.
  static bool read(byte_reader& in, T& value) {
    const std::byte* bytes = in.take(codec<T>::fixed_size);
    if (bytes == nullptr) return false;
    return codec<T>::load(bytes, value) || in.fail("a bool is neither 0 nor 1");
  }
};

template <shape::arithmetic T>
struct codec<T> : fixed_size_codec<T> {
  static constexpr std::size_t fixed_size = sizeof(T);

  static void store(std::byte* out, T value) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(out, &value, sizeof(T));
    } else {
      const auto word = std::bit_cast<bits>(value);
      for (std::size_t i = 0; i < sizeof(T); ++i)
        out[i] = static_cast<std::byte>(static_cast<std::uint64_t>(word) >> (8 * i));
    }
  }

  static bool load(const std::byte* in, T& value) noexcept {
    if constexpr (std::same_as<T, bool>) {
      value = in[0] == std::byte{1};
      return value || in[0] == std::byte{0};
    } else if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&value, in, sizeof(T));
      return true;
    } else {
      std::uint64_t word = 0;
      for (std::size_t i = 0; i < sizeof(T); ++i)
        word |= std::uint64_t{std::to_integer<std::uint8_t>(in[i])} << (8 * i);
      value = std::bit_cast<T>(static_cast<bits>(word));
      return true;
    }
  }

 private:
  using bits = std::conditional_t<
      sizeof(T) == 1, std::uint8_t,
      std::conditional_t<sizeof(T) == 2, std::uint16_t,
                         std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;
};

/// Enums travel as their underlying type; values without a name pass, as they do in C++.
template <shape::enumeration T>
struct codec<T> : fixed_size_codec<T> {
  using underlying = std::underlying_type_t<T>;
  static constexpr std::size_t fixed_size = sizeof(T);

  static void store(std::byte* out, T value) noexcept {
    codec<underlying>::store(out, static_cast<underlying>(value));
  }
  static bool load(const std::byte* in, T& value) noexcept {
    underlying number{};
    const bool good = codec<underlying>::load(in, number);
    value = static_cast<T>(number);
    return good;
  }
};

template <shape::duration T>
struct codec<T> : fixed_size_codec<T> {
  using rep = typename T::rep;
  static constexpr std::size_t fixed_size = sizeof(rep);

  static void store(std::byte* out, T value) noexcept { codec<rep>::store(out, value.count()); }
  static bool load(const std::byte* in, T& value) noexcept {
    rep count{};
    const bool good = codec<rep>::load(in, count);
    value = T(count);
    return good;
  }
};

/// Time points travel as the duration since their clock's epoch.
template <shape::time_point T>
struct codec<T> : fixed_size_codec<T> {
  using duration = typename T::duration;
  static constexpr std::size_t fixed_size = codec<duration>::fixed_size;

  static void store(std::byte* out, T value) noexcept {
    codec<duration>::store(out, value.time_since_epoch());
  }
  static bool load(const std::byte* in, T& value) noexcept {
    duration since_epoch{};
    const bool good = codec<duration>::load(in, since_epoch);
    value = T(since_epoch);
    return good;
  }
};

template <>
struct codec<std::monostate> : fixed_size_codec<std::monostate> {
  static constexpr std::size_t fixed_size = 0;
  static void store(std::byte*, std::monostate) noexcept {}
  static bool load(const std::byte*, std::monostate&) noexcept { return true; }
};

template <>
struct codec<std::string> {
  static constexpr std::size_t min_size = 1;

  static void write(byte_writer& out, const std::string& value) {
    const std::size_t length = value.size();
    if (length < 0x80) [[likely]] {
      // One bounds check for the length byte and the text.
      std::byte* room = out.grow(length + 1);
      *room = static_cast<std::byte>(length);
      std::memcpy(room + 1, value.data(), length);
    } else {
      out.put_length(length);
      out.put_bytes(value.data(), length);
    }
  }
  static bool read(byte_reader& in, std::string& value) {
    std::size_t length = 0;
    if (!in.get_count(length, 1, 1)) return false;
    const std::byte* text = in.take(length);
    if (text == nullptr) return false;
    value.assign(reinterpret_cast<const char*>(text), length);
    return true;
  }
};

}  // namespace millrace
