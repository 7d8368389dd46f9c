#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/state/database_image.hpp"

/// Sorted tables of bytes, as an embedded database has them: what a backend that keeps state
/// outside of memory is made upon. All calls block; used from one task, which waits for reads as
/// Flink's do.
namespace millrace {

/// Changes of one table that are written at once, in the order of the calls. The bytes are copied.
class byte_batch {
 public:
  virtual ~byte_batch() = default;
  virtual void put(byte_view key, byte_view value) = 0;
  virtual void erase(byte_view key) = 0;
  virtual std::size_t size() const noexcept = 0;
};

/// Goes through the keys that begin with a prefix, in the order of their bytes (unsigned). Sees the
/// table as it was when the cursor was made. The views are valid until next().
class byte_cursor {
 public:
  virtual ~byte_cursor() = default;
  /// False behind the last one. Throws `failure(io)` if reading fails.
  virtual bool is_valid() const = 0;
  virtual void next() = 0;
  virtual byte_view key() const = 0;
  virtual byte_view value() const = 0;
};

/// Failures of the store are `failure(io)` exceptions: the task can't go on without its state.
class byte_table {
 public:
  virtual ~byte_table() = default;

  /// False if there is no such key; else `value` holds its value.
  virtual bool get(byte_view key, std::vector<std::byte>& value) = 0;
  /// Many at once, in the order of their bytes. `found(index, value)` is called for each key that
  /// is there; order of calls is that of `keys`.
  virtual void get_many(std::span<const byte_view> keys,
                        const std::function<void(std::size_t, byte_view)>& found) = 0;
  virtual std::unique_ptr<byte_cursor> scan(byte_view prefix) = 0;
  virtual std::unique_ptr<byte_batch> new_batch() = 0;
  /// Writes and empties the batch.
  virtual void write(byte_batch& batch) = 0;
};

/// The database of one operator's subtask. Tables belong to the store.
class byte_store {
 public:
  virtual ~byte_store() = default;

  /// The table of that name, made if there is none. With `ttl_ms` the store may drop values whose
  /// first eight bytes, a little-endian time in milliseconds, are that much older than the clock.
  virtual byte_table& table(const std::string& name, std::optional<std::int64_t> ttl_ms) = 0;
  /// Bytes of memory that objects cached in front of the store may take now. May change as other
  /// stores come and go.
  virtual std::size_t object_cache_bytes() const noexcept = 0;
  /// The files of all tables as of now, in a directory of their own; null if the store has none.
  /// What is cached in front of the store is not in them. Throws `failure(io)`.
  virtual std::shared_ptr<database_image> freeze() { return nullptr; }
};

}  // namespace millrace
