#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace millrace {

/// The index of one key group of a keyed_table: open addressing with linear probing, in a power of
/// two of 8-byte slots. Knows neither keys nor values, but the numbers of their entries.
///
/// Behind the last slot the first ones are repeated, so that near ones lie side by side everywhere.
class key_index {
 public:
  struct slot {
    std::uint32_t tag = 0;           ///< The low bits of the hash; the high ones chose the group.
    std::uint32_t entry_number = 0;  ///< From 1; 0 means empty.
  };
  /// Slots that can be looked at together, from any on.
  static constexpr std::size_t near_slots = 4;

  /// One empty slot until the first key comes, so that lookups need not ask.
  key_index() : key_index(1) {}

  /// Slots from `home(tag)` on: `near_slots` of them can be read.
  const slot* near(std::uint32_t tag) const noexcept { return &slots_[tag & mask_]; }
  std::size_t home(std::uint32_t tag) const noexcept { return tag & mask_; }
  std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask_; }
  slot operator[](std::size_t at) const noexcept { return slots_[at]; }

  /// Makes room for one more than `entries`: at most 7/10 full, so about half full on average. True
  /// if all slots have moved.
  bool grow_for(std::size_t entries) {
    if ((entries + 1) * 10 <= (mask_ + 1) * 7) return false;
    grow();
    return true;
  }
  /// Makes room for `entries` in all, at once.
  void reserve(std::size_t entries);
  /// The empty slot where a new entry of that tag belongs.
  std::size_t empty_slot(std::uint32_t tag) const noexcept;
  void set(std::size_t at, slot to) noexcept;
  /// The entry with that tag and number gets another number.
  void renumber(std::uint32_t tag, std::uint32_t number, std::uint32_t now) noexcept;
  /// Empties a slot and closes the gap, so that no probe ends early (Knuth, volume 3, algorithm
  /// 6.4R). Gives memory back if few of `entries` are left, and is true then.
  bool remove(std::size_t at, std::size_t entries);

 private:
  static constexpr std::size_t slots_min = 16;
  /// An index of this size is kept even if it is nearly empty.
  static constexpr std::size_t slots_kept = 256;

  explicit key_index(std::size_t slots)
      : slots_(std::make_unique<slot[]>(slots + near_slots - 1)), mask_(slots - 1) {}

  void grow();
  void resize(std::size_t slots);

  std::unique_ptr<slot[]> slots_;
  std::size_t mask_;
};

}  // namespace millrace
