#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

namespace millrace {

/// How much more a slice of a snapshot may write, in bytes. A slice may go beyond it by one
/// entry, or one block of small ones (frozen_entries).
/// Counts what is written and not time, so that the same history gives the same slices.
class snapshot_budget {
 public:
  explicit snapshot_budget(std::size_t bytes) : left_(bytes) {}
  static snapshot_budget unlimited() {
    return snapshot_budget(std::numeric_limits<std::size_t>::max());
  }

  bool is_spent() const noexcept { return left_ == 0; }
  void spend(std::size_t bytes) noexcept { left_ -= std::min(left_, bytes); }

  /// What an entry takes beside its bytes, for entries that are small or left out.
  static constexpr std::size_t bytes_per_entry = 16;

 private:
  std::size_t left_;
};

}  // namespace millrace
