#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/known_types.hpp"

namespace millrace {

/// A type as its description (describe_type) says, for code that has only that: tools that show
/// what is in a snapshot, and the restoring of values that an earlier version of the type wrote.
struct described_type {
  enum class kind : std::uint8_t {
    boolean,
    character,
    signed_integer,
    unsigned_integer,
    floating,
    enumeration,  ///< parts: the underlying integer.
    text,
    nothing,   ///< "{}": a monostate, or a record without fields.
    duration,  ///< parts: the number's type; also for points in time.
    sequence,  ///< parts: the element.
    set,
    map,        ///< parts: key, value.
    array,      ///< parts: the element; `number` of them.
    optional,   ///< parts: the value.
    variant,    ///< parts: the alternatives.
    record,     ///< parts: the fields.
    enclosing,  ///< The record `number` levels up.
    custom,     ///< A codec that somebody wrote; only that code can read it.
  };

  kind what = kind::nothing;
  std::uint32_t number = 0;  ///< Bits of a number; else as said above.
  std::uint32_t brace = 0;   ///< Records: the how manieth '{' of the description it is.
  std::vector<described_type> parts{};

  bool operator==(const described_type&) const = default;
};

/// Errors: `invalid_data`, for what describe_type does not write.
result<described_type> parse_description(std::string_view description);

/// Why values of `from` can't become values of `to`; empty if they can: `to` is the same type, but
/// for more fields at the end of records, and more alternatives at the end of variants. Keys of
/// maps and elements of sets must be the same, since their order or place may depend on all of
/// them.
std::string why_not_evolvable(const described_type& from, const described_type& to);

/// Reads a value of `from` and writes it as one of `to`: fields that it lacks are what they are in
/// `defaults`, those of `to`. Requires that nothing speaks against it. False if the bytes are
/// malformed, as `in` then says, or a default is not known.
bool evolve_value(const described_type& from, const described_type& to,
                  const record_defaults& defaults, byte_reader& in, byte_writer& out);

/// Goes over a value. False if the bytes are malformed, or of a custom codec.
bool skip_value(const described_type& type, byte_reader& in);

/// The length of a container of such elements.
bool read_count(const described_type& element, byte_reader& in, std::size_t& count);

}  // namespace millrace
