#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "millrace/core/codec.hpp"

namespace millrace {

/// What a database keeps in a column: INTEGER, REAL, TEXT, BLOB. In staging files: its form is
/// fixed.
using sql_value = std::variant<std::int64_t, double, std::string, std::vector<std::byte>>;

/// Types that have a place in a column.
template <class V>
concept sql_storable = std::integral<V> || std::floating_point<V> ||
    std::convertible_to<const V&, std::string_view> || std::same_as<V, std::vector<std::byte>>;

/// The same value. Throws `failure(invalid_data)` for an unsigned number above 2^63 - 1, which
/// databases don't have.
template <sql_storable V>
sql_value to_sql(const V& value) {
  if constexpr (std::integral<V>) {
    constexpr auto greatest = std::numeric_limits<std::int64_t>::max();
    if (std::unsigned_integral<V> && static_cast<std::uint64_t>(value) > std::uint64_t{greatest})
      throw failure(errc::invalid_data, "a database can't keep the integer " +
                                            std::to_string(value) +
                                            ": it is greater than 2^63 - 1");
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::floating_point<V>) {
    return static_cast<double>(value);
  } else if constexpr (std::convertible_to<const V&, std::string_view>) {
    return std::string(std::string_view(value));
  } else {
    return value;
  }
}

/// One change of a table of keys and values. In staging files: its form is fixed.
struct key_value_change {
  sql_value key;                   ///< Of the row that changes.
  std::optional<sql_value> value;  ///< Nothing: the key is deleted.
};

/// Appends a change to a staging file: a length and the low half of the XXH3_64 of what follows, 4
/// bytes each, little-endian, then the encoded change.
void append_change(std::string& out, const key_value_change& change);
/// What stands before the first change: "MRKV", three zero bytes, and the version of the format, 1.
std::string_view change_file_header() noexcept;

/// Reads the changes of a staging file, one by one, in their order.
class change_reader {
 public:
  /// `bytes` must outlive this.
  explicit change_reader(std::string_view bytes) : rest_(bytes) {}

  /// Nothing at the end. Fails with `invalid_data` where the bytes are not what was written.
  result<std::optional<key_value_change>> next();

 private:
  std::string_view rest_;
  bool has_begun_ = false;
};

}  // namespace millrace
