#pragma once

#include <cstring>
#include <memory>
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
  virtual std::uint64_t fingerprint() const noexcept = 0;
  /// Bytes from the network to rows. Errors: `type_mismatch`, `invalid_data`.
  virtual result<batch_ptr> decode(const encoded_batch& bytes) const = 0;
};

/// Refuses a batch of another type with an error that names both.
status check_record_type(const record_type& expected, const batch& got);

namespace detail {

/// The error of a batch whose bytes are short, long or malformed.
error undecodable_batch(const record_type& type, const encoded_batch& bytes);

template <class T>
class typed_record_type final : public record_type {
 public:
  std::string_view description() const noexcept override { return description_; }
  std::uint64_t fingerprint() const noexcept override { return fingerprint_of<T>(); }

  result<batch_ptr> decode(const encoded_batch& bytes) const override {
    if (auto same = check_record_type(*this, bytes); !same) return tl::unexpected(same.error());
    // The count must not make us allocate more than the received bytes can stand for.
    constexpr std::size_t row_bytes_min = min_encoded_size<T>();
    const std::size_t rows_max = row_bytes_min != 0 ? bytes.bytes().size() / row_bytes_min
                                                    : codec_weightless_bytes_max / sizeof(T);
    if (bytes.size() > rows_max) return tl::unexpected(undecodable_batch(*this, bytes));
    typed_batch_ptr<T> rows(new typed_batch<T>);
    if constexpr (is_bulk_copyable<T>) {
      if (bytes.bytes().size() != bytes.size() * sizeof(T))
        return tl::unexpected(undecodable_batch(*this, bytes));
      rows->rows.resize(bytes.size());
      std::memcpy(rows->rows.data(), bytes.bytes().data(), bytes.bytes().size());
    } else {
      rows->rows.reserve(bytes.size());
      byte_reader in{std::span<const std::byte>(bytes.bytes())};
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (!millrace::decode(in, rows->rows.emplace_back()))
          return tl::unexpected(undecodable_batch(*this, bytes));
      }
      if (in.remaining() != 0) return tl::unexpected(undecodable_batch(*this, bytes));
    }
    return batch_ptr(rows);
  }

 private:
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
