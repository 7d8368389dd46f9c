#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/state/snapshot_budget.hpp"
#include "millrace/state/snapshot_section.hpp"

namespace millrace {

/// Timers of a key group on their way into a snapshot, where they stand in their order: they come
/// in any, as those that fire or are deleted meanwhile come first.
class ordered_entries {
 public:
  /// Of timers with equal timestamp, the one with the smaller number comes first.
  struct rank {
    std::int64_t timestamp = 0;
    std::uint64_t sequence = 0;

    auto operator<=>(const rank&) const = default;
  };

  /// Copies the parts of an entry. Returns how many bytes they are.
  std::size_t add(rank where, byte_view key, byte_view ns, byte_view value);
  /// Gives them to the section's current group, in order. Nothing may be added between two calls.
  /// False if the budget was spent first.
  bool move_to(snapshot_section& section, snapshot_budget& budget);

 private:
  struct place {
    rank where;
    std::size_t begin;  // in bytes_: the key, the namespace, the value
    std::uint32_t key_bytes;
    std::uint32_t ns_bytes;
    std::uint32_t value_bytes;
  };

  byte_writer bytes_;
  std::vector<place> places_;
  std::size_t moved_ = 0;
};

}  // namespace millrace
