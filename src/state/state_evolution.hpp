#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/described_type.hpp"
#include "millrace/core/error.hpp"
#include "millrace/state/state_info.hpp"

namespace millrace {

/// How values that an earlier version of a type wrote become values of the type as it is now
/// (Flink's TypeSerializerSchemaCompatibility "compatible after migration"): records may have got
/// fields at their end.
class type_evolution {
 public:
  /// `type_mismatch`, saying what both types are, if values of `saved` can't become values of
  /// `wanted`. Fingerprints.
  static result<type_evolution> between(std::uint64_t saved, std::uint64_t wanted);

  const described_type& from() const noexcept { return from_; }
  /// Of the type itself, or of part `part` of it, such as the elements of a list.
  bool evolve(byte_reader& in, byte_writer& out) const;
  bool evolve_part(std::size_t part, byte_reader& in, byte_writer& out) const;

 private:
  described_type from_;
  described_type to_;
  record_defaults defaults_;
};

/// The same for the values of a keyed state.
class state_evolution {
 public:
  /// Nothing if the values are interchangeable; `type_mismatch` if they can't be had.
  static result<std::optional<state_evolution>> between(const state_info& saved,
                                                        const state_info& wanted);

  /// An entry's value.
  result<std::vector<std::byte>> evolve(byte_view value) const;

 private:
  explicit state_evolution(type_evolution values) : values_(std::move(values)) {}

  type_evolution values_;
  bool is_list_ = false;
  bool has_ttl_ = false;
};

}  // namespace millrace
