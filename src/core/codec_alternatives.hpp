#pragma once

#include <cstddef>
#include <optional>
#include <variant>

#include "millrace/core/codec_primitives.hpp"

/// Codecs of values that may be one thing or another: a byte that says which, then the thing.
namespace millrace {

template <class T>
struct codec<std::optional<T>> {
  static constexpr std::size_t min_size = 1;

  static void write(byte_writer& out, const std::optional<T>& value) {
    codec<bool>::write(out, value.has_value());
    if (value) codec<T>::write(out, *value);
  }
  static bool read(byte_reader& in, std::optional<T>& value) {
    bool present = false;
    if (!codec<bool>::read(in, present)) return false;
    if (!present) {
      value.reset();
      return true;
    }
    return codec<T>::read(in, value ? *value : value.emplace());
  }
};

template <class... Alternatives>
struct codec<std::variant<Alternatives...>> {
  using type = std::variant<Alternatives...>;
  static_assert(sizeof...(Alternatives) <= 256,
                "millrace: a variant of more than 256 alternatives can't be encoded");
  static constexpr std::size_t min_size = 1;

  /// Throws `failure(invalid_data)` for a variant that lost its value to an exception.
  static void write(byte_writer& out, const type& value) {
    if (value.valueless_by_exception())
      throw failure(errc::invalid_data, "can't encode a std::variant without a value");
    codec<std::uint8_t>::write(out, static_cast<std::uint8_t>(value.index()));
    std::visit([&]<class T>(const T& held) { codec<T>::write(out, held); }, value);
  }

  static bool read(byte_reader& in, type& value) {
    std::uint8_t index = 0;
    if (!codec<std::uint8_t>::read(in, index)) return false;
    return read_alternative(in, value, index, std::index_sequence_for<Alternatives...>{});
  }

 private:
  template <std::size_t... I>
  static bool read_alternative(byte_reader& in, type& value, std::size_t index,
                               std::index_sequence<I...>) {
    bool good = false;
    const bool known = ((index == I && (good = codec<std::variant_alternative_t<I, type>>::read(
                                            in, value.template emplace<I>()),
                                        true)) ||
                        ...);
    return known ? good : in.fail("a variant names an alternative it does not have");
  }
};

}  // namespace millrace
