#pragma once

#include <atomic>
#include <boost/container/vector.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/checked_cast.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/event_time.hpp"
#include "millrace/core/fingerprint.hpp"
#include "millrace/core/memory_size.hpp"

namespace millrace {

/// Rows on their way between operators, reference-counted: a local hand-off moves the pointer, only
/// the network encodes. The engine below the operators never looks inside (design: batches are
/// polymorphic, row-wise now and columnar later).
///
/// Ownership: a batch may be changed by whoever holds its only reference; with more references it
/// is read-only (`is_unique`). The count is atomic, everything else belongs to the holder.
class batch {
 public:
  batch() = default;
  batch(const batch&) = delete;
  batch& operator=(const batch&) = delete;
  virtual ~batch() = default;

  /// Number of rows.
  virtual std::size_t size() const noexcept = 0;
  /// Bytes that this batch keeps from others: what flow control charges for it.
  virtual std::size_t memory_bytes() const noexcept = 0;
  /// Identifies the record type; equal on every node (core/fingerprint.hpp).
  virtual std::uint64_t fingerprint() const noexcept = 0;
  /// Whether the rows are still bytes from the network (`encoded_batch`).
  virtual bool is_encoded() const noexcept { return false; }
  /// Appends the rows, without their number, and behind them their timestamps, if they have any:
  /// 8 bytes each, little-endian.
  virtual void encode_rows(byte_writer& out) const = 0;

  /// Whether the caller holds the only reference, and so may change the batch.
  bool is_unique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

 private:
  friend void intrusive_ptr_add_ref(const batch* b) noexcept {
    b->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(const batch* b) noexcept {
    if (b->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete b;
  }

  mutable std::atomic<std::uint32_t> references_{0};
};

/// A counted reference. Copies may be held on different threads.
using batch_ptr = boost::intrusive_ptr<batch>;

/// What a stream can consist of.
template <class T>
concept recordable = std::semiregular<T> && encodable<T>;

/// Says so where a type is none. For the API, which then leaves out all that would not compile.
template <class T>
consteval bool check_record() {
  static_assert(recordable<T>,
                "millrace: this type can't be a record: make it a default-constructible, copyable "
                "struct of numbers, enums, std::string, std::chrono types, std containers, "
                "optionals, variants, tuples and other such structs, without pointers, references, "
                "C arrays or base classes; or specialise millrace::codec for it");
  return recordable<T>;
}

/// `std::vector<bool>` packs bits and hands out proxies; every other vector is a plain array.
template <class T>
using row_vector =
    std::conditional_t<std::is_same_v<T, bool>, boost::container::vector<bool>, std::vector<T>>;

/// The event times of a batch's rows: one each, or none at all if no row has one.
using timestamp_column = std::vector<timestamp_ms>;

/// Rows of one user type, side by side.
/// Invariant: `timestamps` is empty or as long as `rows`. Streams without event time never touch
/// it.
template <class T>
class typed_batch final : public batch {
 public:
  row_vector<T> rows;           ///< The records.
  timestamp_column timestamps;  ///< Milliseconds since the epoch.

  std::size_t size() const noexcept override { return rows.size(); }
  /// `no_timestamp` if the rows have none. `row` must be one.
  timestamp_ms timestamp_of(std::size_t row) const noexcept {
    return timestamps.empty() ? no_timestamp : timestamps[row];
  }

  std::size_t memory_bytes() const noexcept override {
    std::size_t bytes = rows.size() * sizeof(T) + timestamps.size() * sizeof(timestamp_ms);
    if constexpr (has_heap_v<T>) {
      for (const T& row : rows) bytes += heap_bytes(row);
    }
    return bytes;
  }

  std::uint64_t fingerprint() const noexcept override { return fingerprint_of<T>(); }

  void encode_rows(byte_writer& out) const override {
    write_elements<T>(out, std::span<const T>(rows.data(), rows.size()));
    if (!timestamps.empty()) write_elements<timestamp_ms>(out, timestamps);
  }
};

/// A counted reference to a batch whose type is known.
template <class T>
using typed_batch_ptr = boost::intrusive_ptr<typed_batch<T>>;

/// A batch that is known to hold records of type T: the task has checked it where the batch entered
/// the chain, the graph builder where operators are chained.
template <class T>
typed_batch<T>& typed(batch& b) noexcept {
  return checked_cast<typed_batch<T>&>(b);
}

/// The rows of such a batch.
template <class T>
row_vector<T>& rows_of(batch& b) noexcept {
  return typed<T>(b).rows;
}

/// The timestamps of such a batch's rows; empty if they have none.
template <class T>
timestamp_column& timestamps_of(batch& b) noexcept {
  return typed<T>(b).timestamps;
}

/// Rows as they came from another node. Decoded by the receiving task, which knows the type, and
/// not by the network thread, which has other connections to serve.
class encoded_batch final : public batch {
 public:
  /// `bytes` are what encode_rows() of a batch with that fingerprint and so many rows wrote; not
  /// checked here.
  encoded_batch(std::uint64_t fingerprint, std::size_t rows, std::vector<std::byte> bytes)
      : bytes_(std::move(bytes)), rows_(rows), fingerprint_(fingerprint) {}

  std::size_t size() const noexcept override { return rows_; }
  std::size_t memory_bytes() const noexcept override { return bytes_.size(); }
  std::uint64_t fingerprint() const noexcept override { return fingerprint_; }
  bool is_encoded() const noexcept override { return true; }
  void encode_rows(byte_writer& out) const override;

  /// The rows and, behind them, their timestamps.
  const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t rows_;
  std::uint64_t fingerprint_;
};

/// What a consumer may do with the rows it is shown.
enum class rows_access : std::uint8_t {
  shared,     ///< Somebody else looks at them too: read only.
  exclusive,  ///< Nobody needs them afterwards: they may be moved from, or the vector taken whole.
};

}  // namespace millrace
