#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/type_shape.hpp"

namespace millrace {

/// How a type becomes bytes. Records need none: aggregates of supported fields work as they are.
/// Specialise it for a type that is no plain aggregate:
///
///     template <>
///     struct millrace::codec<geo::point> {
///       static constexpr std::string_view type_name = "geo.point/1";  // part of the fingerprint
///       static void write(byte_writer& out, const geo::point& p) {
///         encode(out, p.lat(), p.lon());
///       }
///       static bool read(byte_reader& in, geo::point& p) {
///         double lat, lon;
///         if (!decode(in, lat, lon)) return false;
///         p = geo::point(lat, lon);
///         return true;
///       }
///     };
///
/// `read` gets a default-constructed or an old value to overwrite; it returns false (after
/// `in.fail("reason")` if the bytes were readable but wrong) and must survive any bytes.
/// Change `type_name` when the encoding changes. Optional members:
/// - `static constexpr std::size_t min_size`: the fewest bytes a value encodes to. Default 1, so a
///   codec that may write nothing must say 0.
/// - `static std::size_t heap_bytes(const T&)`: see core/memory_size.hpp.
template <class T>
struct codec {};

/// Version of the encoding of built-in types, part of every fingerprint.
inline constexpr int codec_version = 1;

/// `fixed_size` of types whose values differ in encoded length.
inline constexpr std::size_t variable_size = static_cast<std::size_t>(-1);

/// Specialised by a user, as told by its `type_name`, which built-in codecs lack.
template <class T>
concept has_custom_codec = requires(byte_writer& out, byte_reader& in, const T& from, T& to) {
  { codec<T>::type_name } -> std::convertible_to<std::string_view>;
  codec<T>::write(out, from);
  { codec<T>::read(in, to) } -> std::convertible_to<bool>;
};

/// The number of bytes every value of `T` encodes to, or `variable_size`. Codecs with a fixed size
/// also have `store(std::byte*, const T&)` and `bool load(const std::byte*, T&)`, which check no
/// bounds.
template <class T>
constexpr std::size_t fixed_encoded_size() {
  if constexpr (requires { codec<T>::fixed_size; })
    return codec<T>::fixed_size;
  else
    return variable_size;
}

/// Whether all values of `T` encode to the same number of bytes.
template <class T>
inline constexpr bool is_fixed_size = fixed_encoded_size<T>() != variable_size;

/// The fewest bytes a value of `T` encodes to: what bounds lengths before memory is allocated.
template <class T>
constexpr std::size_t min_encoded_size() {
  if constexpr (is_fixed_size<T>)
    return fixed_encoded_size<T>();
  else if constexpr (requires { codec<T>::min_size; })
    return codec<T>::min_size;
  else
    return 1;
}

/// See is_bulk_copyable.
template <class T>
constexpr bool bulk_copyable() {
  if constexpr (std::endian::native != std::endian::little || has_custom_codec<T> ||
                !std::is_trivially_copyable_v<T>) {
    return false;
  } else if constexpr (shape::arithmetic<T>) {
    return !std::same_as<T, bool>;
  } else if constexpr (shape::enumeration<T>) {
    return bulk_copyable<std::underlying_type_t<T>>();
  } else if constexpr (shape::duration<T> || shape::time_point<T>) {
    return bulk_copyable<typename T::rep>();
  } else if constexpr (shape::std_array<T>) {
    return std::tuple_size_v<T> != 0 && bulk_copyable<typename T::value_type>();
  } else if constexpr (shape::aggregate<T>) {
    std::size_t bytes = 0;
    const bool fields_are = shape::all_fields<T>([&]<std::size_t I>() {
      using field = typename shape::fields<T>::template type<I>;
      bytes += sizeof(field);
      return bulk_copyable<field>();
    });
    return fields_are && bytes == sizeof(T);
  } else {
    return false;
  }
}

/// Whether the encoding of `T` is its memory, so that a whole array is one memcpy: arithmetic types
/// and aggregates of them without padding, on little-endian machines. Not bool, whose bytes must
/// be checked.
template <class T>
inline constexpr bool is_bulk_copyable = bulk_copyable<T>();

}  // namespace millrace
