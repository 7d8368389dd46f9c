#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/operators/external_sorter.hpp"
#include "millrace/operators/keyed_fold.hpp"
#include "millrace/operators/sort_key.hpp"
#include "millrace/state/canonical_key.hpp"

// How the keys of a sorter are written: `write(out, row)` appends the key of a row and returns how
// many bytes of it name the row's group.

namespace millrace {

/// One group, sorted by `Order`.
template <class Order>
struct whole_partition {
  Order order;

  template <class T>
  std::size_t write(byte_writer& out, const T& row) const {
    order.write(out, row);
    return 0;
  }
};

/// A group for each key, sorted by `Order`; the groups themselves come in no particular order.
template <class KeyOf, class Order>
struct keyed_groups {
  KeyOf key_of;
  Order order;

  template <class T>
  std::size_t write(byte_writer& out, const T& row) const {
    const key_type<T, KeyOf>& key = std::invoke(key_of, row);
    encode_canonical(out, key);
    const auto group_bytes = out.size();
    order.write(out, row);
    return group_bytes;
  }
};

/// A sorter of records of type T, with their timestamps.
template <class T>
class sorted_rows {
 public:
  using next = external_sorter::next;

  void open(operator_context& context, const std::string& label, std::uint64_t memory_bytes) {
    sorter_.emplace(context, label, memory_bytes);
  }
  /// Removes the files.
  void close() noexcept { sorter_.reset(); }

  template <class KeyWriter>
  void add(batch& rows, const KeyWriter& keys) {
    const auto& in = static_cast<const typed_batch<T>&>(rows);
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      key_.clear();
      payload_.clear();
      const auto group_bytes = keys.write(key_, in.rows[i]);
      encode(payload_, static_cast<const T&>(in.rows[i]));
      if (!in.timestamps.empty()) encode(payload_, in.timestamps[i]);
      sorter_->add({key_.bytes(), group_bytes, payload_.bytes()});
    }
    sorter_->pump();
  }
  void end_input() { sorter_->end_input(); }
  void rewind() { sorter_->rewind(); }
  bool is_busy() const noexcept { return sorter_ && sorter_->is_busy(); }

  /// Whether there is a row; then the others are about it.
  next peek() { return sorter_->peek(record_); }
  std::span<const std::byte> group() const noexcept { return record_.group(); }
  /// An estimate of the memory that the row takes.
  std::size_t row_bytes() const noexcept { return sizeof(T) + record_.payload.size(); }
  /// Takes the row; its timestamp is in timestamp().
  T take() {
    byte_reader in(record_.payload);
    T row{};
    timestamp_ = no_timestamp;
    if (!decode(in, row) || (in.remaining() != 0 && !decode(in, timestamp_)))
      throw failure(in.to_status().error());
    sorter_->advance();
    return row;
  }
  timestamp_ms timestamp() const noexcept { return timestamp_; }

 private:
  std::optional<external_sorter> sorter_;
  sort_record record_;
  timestamp_ms timestamp_ = no_timestamp;
  byte_writer key_;
  byte_writer payload_;
};

}  // namespace millrace
