#pragma once

#include <cstddef>
#include <type_traits>

#include "millrace/core/codec.hpp"
#include "millrace/state/keyed_state_table.hpp"

namespace millrace {

/// Gives entries of one state to a visitor as bytes. Those of one size are written where they are
/// to be; for others this keeps memory. The visitor outlives it.
template <class Key, class N, class Visitor = state_entry_visitor>
class entry_encoder {
 public:
  explicit entry_encoder(Visitor& to) : to_(&to) {}

  /// An entry of a state that is no map.
  void operator()(const Key& key, const N& ns, const auto& value) {
    if (store(key, ns, no_map_key(), value)) return;
    parts_[2].clear();
    put(key, ns, value);
  }
  /// An entry of a map.
  void with_map_key(const Key& key, const N& ns, const auto& map_key, const auto& value) {
    if (store(key, ns, map_key, value)) return;
    parts_[2].clear();
    encode(parts_[2], map_key);
    put(key, ns, value);
  }

 private:
  struct no_map_key {};

  template <class Part>
  static constexpr std::size_t size_of() {
    if constexpr (std::is_same_v<Part, no_map_key>)
      return 0;
    else
      return fixed_encoded_size<Part>();
  }
  /// A length up to this takes one byte (byte_writer::put_length).
  static constexpr std::size_t short_length_max = 127;

  template <class... Parts>
  bool store(const Parts&... parts) {
    if constexpr (((size_of<Parts>() <= short_length_max) && ...)) {
      std::byte* room = to_->room((0 + ... + (1 + size_of<Parts>())));
      if (room == nullptr) return false;
      (store_part(room, parts), ...);
      return true;
    } else {
      return false;
    }
  }
  template <class Part>
  static void store_part(std::byte*& room, const Part& part) {
    constexpr auto size = size_of<Part>();
    *room++ = static_cast<std::byte>(size);
    if constexpr (size != 0) codec<Part>::store(room, part);
    room += size;
  }

  void put(const Key& key, const N& ns, const auto& value) {
    for (const int i : {0, 1, 3}) parts_[i].clear();
    encode(parts_[0], key);
    encode(parts_[1], ns);
    encode(parts_[3], value);
    to_->entry(parts_[0].bytes(), parts_[1].bytes(), parts_[2].bytes(), parts_[3].bytes());
  }

  Visitor* to_;
  byte_writer parts_[4];
};

}  // namespace millrace
