#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "millrace/core/described_type.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/state_info.hpp"

namespace millrace {

/// How the rows of a state's table (docs/checkpoint-format.md) come apart into the entries of
/// canonical snapshots, for code that has descriptions of the types only. A row's key begins with
/// its key group; key and namespace end where values of their types end.
class row_layout {
 public:
  /// Nothing if the types are not known here, or have a codec that somebody wrote: only their code
  /// knows then where they end.
  static std::optional<row_layout> of(const state_info& info);

  /// The parts of a row of the table. Throws `failure(invalid_data)` for what is no such row.
  encoded_entry split(byte_view row_key, byte_view value) const;

 private:
  row_layout() = default;

  std::string state_;
  described_type key_;
  std::optional<described_type> ns_;  // of maps, where it is not the last part
  std::size_t value_begin_ = 0;       // before it is what only rows have
};

/// Appends all entries of a key group to `out`, in the order of their rows. Throws `failure`.
void append_entries(byte_table& table, const row_layout& layout, std::uint32_t group,
                    byte_writer& out);
/// Removes all rows of a key group. Throws `failure`.
void erase_rows(byte_table& table, std::uint32_t group);

}  // namespace millrace
