#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/codec_aggregate.hpp"
#include "millrace/core/codec_alternatives.hpp"
#include "millrace/core/codec_containers.hpp"
#include "millrace/core/codec_primitives.hpp"
#include "millrace/core/codec_traits.hpp"
#include "millrace/core/error.hpp"

/// The byte codec: how records, keys and state travel between nodes and rest in checkpoints.
/// Versioned by `codec_version`, bit-exact for floats. Bytes carry no types: both ends compare
/// `fingerprint_of<T>()` (core/fingerprint.hpp) beforehand.
namespace millrace {

/// `Enclosing` are the aggregates around `T`, so that a type that contains itself ends.
template <class T, class... Enclosing>
consteval bool can_encode() {
  if constexpr ((std::same_as<T, Enclosing> || ...)) {
    return true;
  } else if constexpr (has_custom_codec<T>) {
    return std::default_initializable<T>;
  } else if constexpr (shape::arithmetic<T> || shape::enumeration<T> || shape::string<T> ||
                       shape::monostate<T>) {
    return true;
  } else if constexpr (shape::duration<T> || shape::time_point<T>) {
    return shape::arithmetic<typename T::rep>;
  } else if constexpr (shape::map<T>) {
    return can_encode<typename T::key_type, Enclosing...>() &&
           can_encode<typename T::mapped_type, Enclosing...>();
  } else if constexpr (shape::sequence<T> || shape::set<T> || shape::std_array<T> ||
                       shape::optional<T>) {
    return can_encode<typename T::value_type, Enclosing...>();
  } else if constexpr (shape::variant<T>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return (can_encode<A, Enclosing...>() && ...);
    }(std::type_identity<T>{});
  } else if constexpr (shape::product<T>) {
    return std::default_initializable<T> && shape::all_fields<T>([]<std::size_t I>() {
             return can_encode<typename shape::fields<T>::template type<I>, Enclosing..., T>();
           });
  } else {
    return false;
  }
}

/// Types the codec can write and read: numbers, bool, enums, strings, chrono durations and time
/// points, std containers, optional, variant, pair, tuple, plain aggregates of all these, and
/// types with a codec of their own.
template <class T>
concept encodable = can_encode<T>();

/// Appends the values. Throws `failure(invalid_data)` for what no decoder could take: more than
/// 2^32-1 elements, containers nested deeper than `codec_nesting_max`, valueless variants.
template <class... T>
void encode(byte_writer& out, const T&... values) {
  static_assert((encodable<T> && ...),
                "millrace: this type can't be encoded: make it a plain aggregate or specialise "
                "millrace::codec<T>");
  if constexpr ((encodable<T> && ...)) (codec<T>::write(out, values), ...);
}

/// Reads into `values`, which keep memory they already own. False after an error, which `in`
/// remembers; the values are then valid but unspecified.
template <class... T>
[[nodiscard]] bool decode(byte_reader& in, T&... values) {
  static_assert((encodable<T> && ...),
                "millrace: this type can't be decoded: make it a plain aggregate or specialise "
                "millrace::codec<T>");
  if constexpr ((encodable<T> && ...))
    return in.ok() && ((codec<T>::read(in, values) || in.fail("a value is malformed")) && ...);
  else
    return false;
}

/// Reads one value. Errors: `invalid_data` with the place and the reason.
template <class T>
result<T> decode(byte_reader& in) {
  T value{};
  if (!decode(in, value)) return tl::unexpected(in.to_status().error());
  return value;
}

/// One value as bytes; throws as encode does.
template <class T>
std::vector<std::byte> encode_to_bytes(const T& value) {
  byte_writer out;
  encode(out, value);
  return std::move(out).take();
}

/// Reads values that take all of `bytes`; anything left over is an error.
template <class... T>
status decode_bytes_into(std::span<const std::byte> bytes, T&... values) {
  byte_reader in(bytes);
  if (decode(in, values...)) in.expect_end();
  return in.to_status();
}

/// A value that takes all of `bytes`.
template <class T>
result<T> decode_bytes(std::span<const std::byte> bytes) {
  T value{};
  if (auto good = decode_bytes_into(bytes, value); !good) return tl::unexpected(good.error());
  return value;
}

}  // namespace millrace
