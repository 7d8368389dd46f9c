#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/core/fingerprint.hpp"

/// What this process knows about types by their fingerprints: the description of each that
/// fingerprint_of or fingerprint_of_description was asked about, and what the records in it are
/// when nothing was said about them. Nothing is ever forgotten, so this is no state but a cache of
/// what fingerprints mean. Safe to use from any thread.
namespace millrace {

/// The encoded default of each record of a type, in the order of the opening braces of its
/// description; empty for one whose default can't be encoded.
using record_defaults = std::vector<std::vector<std::byte>>;

/// For fingerprint_of_description, which remembers all that it is asked about.
void remember_description(std::uint64_t fingerprint, std::string_view description);
/// Nothing if nobody has told.
std::optional<std::string> known_description(std::uint64_t fingerprint);

/// The latest that was told counts.
void know_defaults(std::uint64_t fingerprint, record_defaults all);
/// Empty if nobody has told.
record_defaults known_defaults(std::uint64_t fingerprint);

namespace detail {

template <class T>
std::vector<std::byte> encoded_default() {
  try {
    return encode_to_bytes(T{});
  } catch (const std::exception&) {
    return {};
  }
}

/// In step with append_description.
template <class T, class... Enclosing>
void append_defaults(record_defaults& out, type_list<Enclosing...> around) {
  if constexpr ((std::same_as<T, Enclosing> || ...) || has_custom_codec<T> ||
                shape::arithmetic<T> || shape::enumeration<T> || shape::string<T> ||
                shape::duration<T> || shape::time_point<T>) {
    return;
  } else if constexpr (shape::monostate<T>) {
    out.emplace_back();
  } else if constexpr (shape::map<T>) {
    append_defaults<typename T::key_type>(out, around);
    append_defaults<typename T::mapped_type>(out, around);
  } else if constexpr (shape::sequence<T> || shape::set<T> || shape::std_array<T> ||
                       shape::optional<T>) {
    append_defaults<typename T::value_type>(out, around);
  } else if constexpr (shape::variant<T>) {
    [&]<class... A>(type_list<A...>) {
      (append_defaults<A>(out, around), ...);
    }(decltype(alternatives(static_cast<T*>(nullptr))){});
  } else {
    out.push_back(encoded_default<T>());
    shape::all_fields<T>([&]<std::size_t I>() {
      append_defaults<typename shape::fields<T>::template type<I>>(out,
                                                                   type_list<T, Enclosing...>{});
      return true;
    });
  }
}

}  // namespace detail

/// The fingerprint of a type whose values rest in snapshots: later versions of it may have more
/// fields, which then get their defaults.
template <encodable T>
std::uint64_t fingerprint_of_stored() {
  static const std::uint64_t fingerprint = [] {
    record_defaults all;
    detail::append_defaults<T>(all, detail::type_list<>{});
    know_defaults(fingerprint_of<T>(), std::move(all));
    return fingerprint_of<T>();
  }();
  return fingerprint;
}

}  // namespace millrace
