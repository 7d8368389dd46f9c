#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "millrace/core/memory_size.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/canonical_key.hpp"
#include "millrace/state/snapshot_budget.hpp"
#include "millrace/state/state_namespace.hpp"

/// What the stores that cache objects in front of a byte_table share.
namespace millrace {

/// The memory that the caches of one backend take together, and may take.
class object_cache_budget {
 public:
  void set_limit(std::size_t bytes) noexcept { limit_ = bytes; }
  std::size_t limit() const noexcept { return limit_; }
  std::size_t used() const noexcept { return used_; }
  bool is_over() const noexcept { return used_ > limit_; }
  /// Beyond what one key may need on top.
  bool is_far_over() const noexcept { return used_ - used_ / 8 > limit_; }

  void add(std::size_t bytes) noexcept { used_ += bytes; }
  void remove(std::size_t bytes) noexcept { used_ -= bytes; }

 private:
  std::size_t limit_ = std::numeric_limits<std::size_t>::max();
  std::size_t used_ = 0;
};

/// What a cache stands in front of, and the budget it draws on. Both outlive it.
struct cached_table {
  byte_table& table;
  object_cache_budget& budget;
  std::uint32_t max_parallelism;
};

/// Rows are in the table under
///
///     key group (2 bytes, big-endian), key, namespace[, map key]
///
/// each by its codec, with floating-point numbers made canonical. An encoding is never the
/// beginning of another, so a key and namespace are a prefix of their map keys' rows only.
inline void encode_group(byte_writer& out, std::uint32_t group) {
  std::byte* room = out.grow(2);
  room[0] = static_cast<std::byte>(group >> 8);
  room[1] = static_cast<std::byte>(group);
}
inline constexpr std::size_t row_group_bytes = 2;

template <class Key, class N>
void encode_row_key(byte_writer& out, std::uint32_t group, const Key& key, const N& ns) {
  encode_group(out, group);
  encode_canonical(out, key);
  encode_canonical(out, ns);
}

/// Reads what a row holds; the table is ours, so anything wrong with it is damage.
template <class... T>
void decode_row(byte_view bytes, T&... values) {
  byte_reader in(bytes);
  if (!decode(in, values...) || in.remaining() != 0)
    throw failure(errc::invalid_data,
                  "a row of a state's table can't be decoded: the files of the state backend are "
                  "damaged");
}

/// Calls `visit(rows)` for each row of a key group, of which the first is next; false if the budget
/// was spent before the group's end.
template <class Visit>
bool write_rows(byte_cursor& rows, std::uint32_t group, snapshot_budget& budget, Visit&& visit) {
  for (; rows.is_valid(); rows.next()) {
    const auto key = rows.key();
    const auto group_of_row =
        std::to_integer<std::uint32_t>(key[0]) << 8 | std::to_integer<std::uint32_t>(key[1]);
    if (group_of_row != group) return true;
    if (budget.is_spent()) return false;
    visit(rows);
    budget.spend(key.size() + rows.value().size() + snapshot_budget::bytes_per_entry);
  }
  return true;
}

/// Whether looking at the size of a value takes the same time however large it is.
template <class V>
consteval bool is_measured_at_once() {
  if constexpr (!has_heap_v<V> || shape::string<V>)
    return true;
  else if constexpr (shape::is_instance<V, std::vector>)
    return !has_heap_v<typename V::value_type>;
  else
    return false;
}

/// Whether to measure a value at its `touches`th use: always if that is cheap, else so that a value
/// which grows with every use costs constant time per use.
template <class V>
constexpr bool is_measured(std::uint32_t touches) noexcept {
  return is_measured_at_once<V>() || std::has_single_bit(touches) || touches % 64 == 0;
}

}  // namespace millrace
