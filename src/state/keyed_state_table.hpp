#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/state/snapshot_budget.hpp"
#include "millrace/state/state_info.hpp"

namespace millrace {

class snapshot_section;

/// Receives a group's entries as encoded bytes, which are valid during the call only.
class state_entry_visitor {
 public:
  virtual ~state_entry_visitor() = default;
  /// `map_key` is empty unless the state is a map.
  virtual void entry(std::span<const std::byte> key, std::span<const std::byte> ns,
                     std::span<const std::byte> map_key, std::span<const std::byte> value) = 0;
  /// Where an entry of exactly `bytes`, in the form of put_entry, is to be written, if this keeps
  /// entries in that form; else null, and it wants entry(). Valid until the next call.
  virtual std::byte* room(std::size_t /*bytes*/) { return nullptr; }
};

/// One entry of a snapshot, as encoded bytes that belong to somebody else.
struct encoded_entry {
  std::span<const std::byte> key;
  std::span<const std::byte> ns;
  std::span<const std::byte> map_key;
  std::span<const std::byte> value;
};

/// The content of one state, by key group, whatever its types: what snapshots see. Owned by its
/// backend, and used from the operator's task.
class keyed_state_table {
 public:
  virtual ~keyed_state_table() = default;

  virtual const state_info& info() const noexcept = 0;
  /// Entries of one key group. Their order is the same for the same history of calls.
  virtual void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) = 0;
  /// So many entries of a group are about to be restored.
  virtual void reserve(std::uint32_t /*group*/, std::size_t /*entries*/) {}
  /// Adds an entry of a group of this backend that `saved` describes, which is compatible with
  /// `info()`. Fails on bytes that are no such entry, or of a key of another group.
  virtual status restore_entry(std::uint32_t group, const state_info& saved,
                               const encoded_entry& entry) = 0;

  // -- a snapshot: what there is when it begins, however the content changes meanwhile -----------

  /// Freezes the content; takes a step per key group, or what a flush takes. One at a time.
  /// `to` outlives the snapshot and is given entries from then on, those of a group that is written
  /// and of any group before they change.
  virtual void begin_snapshot(snapshot_section& to) = 0;
  /// Writes on in a group, which is selected in the section. Groups come in their order. False if
  /// the budget was spent before all was written; then it is called again.
  virtual bool write_group(std::uint32_t group, snapshot_budget& budget) = 0;
  /// Nothing more is to be written, whether all was or not.
  virtual void end_snapshot() noexcept = 0;

  /// Brings what is only in memory to where the backend keeps it.
  virtual void flush() {}
  /// Bytes that objects cached in front of a store take; 0 if the state is live objects.
  virtual std::size_t cached_bytes() const noexcept { return 0; }
  /// Writes and forgets cached objects until they take no more than `keep_bytes`.
  virtual void release_memory(std::size_t /*keep_bytes*/) {}
};

/// The part that knows the key's type.
template <class Key>
class keyed_state_table_of : public keyed_state_table {
 public:
  /// Brings the entries of a block of keys near, for the accesses that follow. `keys` may be
  /// shorter than `hashes` (empty) if only hashes are known; then less can be done.
  virtual void prefetch(std::span<const Key> /*keys*/, std::span<const std::uint64_t> /*hashes*/) {}
  /// Whether there is a current key; if not, what needs one throws `failure(invalid_argument)`.
  virtual void set_has_key(bool /*has_key*/) noexcept {}
};

}  // namespace millrace
