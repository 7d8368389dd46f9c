#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"
#include "millrace/stream/batch.hpp"

namespace millrace {

/// What the engine knows about the records of a stream without knowing their C++ type. Immutable,
/// one object per type and library, lives as long as the process.
class record_type {
 public:
  virtual ~record_type() = default;

  /// Structure for people: "{str,i64}".
  virtual std::string_view description() const noexcept = 0;
  /// By which two ends of a stream agree: `fingerprint_of<T>()`.
  virtual std::uint64_t fingerprint() const noexcept = 0;
  /// Bytes from the network to rows. Errors: `type_mismatch`, `invalid_data`.
  virtual result<batch_ptr> decode(const encoded_batch& bytes) const = 0;
  /// The rows of a batch of this type in one of the caller's own, moved where `access` allows it.
  virtual batch_ptr take(batch& rows, rows_access access) const = 0;
};

/// Refuses a batch of another type with an error that names both.
status check_record_type(const record_type& expected, const batch& got);

namespace detail {

/// The error of a batch whose bytes are short, long or malformed, as `why` says.
error undecodable_batch(const record_type& type, const encoded_batch& bytes, const error& why);

template <class T>
class typed_record_type final : public record_type {
 public:
  std::string_view description() const noexcept override { return description_; }
  std::uint64_t fingerprint() const noexcept override { return fingerprint_of<T>(); }

  result<batch_ptr> decode(const encoded_batch& bytes) const override {
    if (auto same = check_record_type(*this, bytes); !same) return tl::unexpected(same.error());
    typed_batch_ptr<T> decoded(new typed_batch<T>);
    byte_reader in{std::span<const std::byte>(bytes.bytes())};
    if (!read_rows(in, bytes.size(), decoded->rows) ||
        !read_timestamps(in, bytes.size(), decoded->timestamps))
      return tl::unexpected(undecodable_batch(*this, bytes, in.to_status().error()));
    return batch_ptr(decoded);
  }

  batch_ptr take(batch& rows, rows_access access) const override {
    auto& from = typed<T>(rows);
    typed_batch_ptr<T> taken(new typed_batch<T>);
    if (access == rows_access::exclusive) {
      taken->rows.swap(from.rows);
      taken->timestamps.swap(from.timestamps);
    } else {
      taken->rows = from.rows;
      taken->timestamps = from.timestamps;
    }
    return taken;
  }

 private:
  static bool read_timestamps(byte_reader& in, std::size_t count, timestamp_column& timestamps) {
    if (in.remaining() == 0) return true;
    if (in.remaining() / sizeof(timestamp_ms) != count ||
        in.remaining() % sizeof(timestamp_ms) != 0)
      return in.fail("bytes are left over behind the last record");
    timestamps.resize(count);
    return read_elements<timestamp_ms>(in, timestamps);
  }

  static bool read_rows(byte_reader& in, std::size_t count, row_vector<T>& rows) {
    // As for lengths inside a record: a count that the bytes cannot stand for is refused, and as a
    // record may be many times larger in memory than in bytes, the count alone reserves little.
    constexpr std::size_t row_bytes_min = min_encoded_size<T>();
    constexpr std::size_t weightless_max = codec_weightless_bytes_max / sizeof(T);
    const std::size_t most = row_bytes_min != 0 ? in.remaining() / row_bytes_min : weightless_max;
    if (count > most) return in.fail("it has fewer bytes than so many records take");
    if constexpr (is_fixed_size<T>) {
      rows.resize(count);
      return read_elements<T>(in, std::span<T>(rows.data(), count));
    } else {
      constexpr std::size_t reserve_max = std::max<std::size_t>(1, (1u << 20) / sizeof(T));
      rows.reserve(std::min(count, reserve_max));
      for (std::size_t i = 0; i < count; ++i)
        if (!millrace::decode(in, rows.emplace_back())) return false;
      return true;
    }
  }

  std::string description_{describe_type<T>()};
};

}  // namespace detail

/// The description of records of type T.
template <class T>
const record_type& record_type_of() {
  static const detail::typed_record_type<T> type;
  return type;
}

}  // namespace millrace
