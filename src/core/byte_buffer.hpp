#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"

namespace millrace {

/// Bytes that somebody else keeps.
using byte_view = std::span<const std::byte>;

/// How deep containers may nest inside one encoded value (a tree type is a container of itself).
/// Bounds the stack a decoder uses, whatever the bytes say.
inline constexpr int codec_nesting_max = 100;

/// Containers of elements that encode to nothing (empty structs) may take this much memory at
/// most, because no input bytes pay for it.
inline constexpr std::size_t codec_weightless_bytes_max = std::size_t{1} << 20;

/// How many bytes a length takes as LEB128: 1 below 128, at most 5. Throws `failure(invalid_data)`
/// beyond 32 bits.
inline std::size_t length_size(std::size_t length) {
  if (length > std::numeric_limits<std::uint32_t>::max()) [[unlikely]]
    throw failure(errc::invalid_data, "can't encode a container of " + std::to_string(length) +
                                          " elements: at most 4294967295 are possible");
  std::size_t bytes = 1;
  while (length >>= 7) ++bytes;
  return bytes;
}
/// Writes it where there is room for it; returns the end.
inline std::byte* store_length(std::byte* to, std::size_t length) {
  for (; length >= 0x80; length >>= 7) *to++ = static_cast<std::byte>(length | 0x80);
  *to++ = static_cast<std::byte>(length);
  return to;
}

/// Appends bytes to a buffer it owns. Growth is in bulk: `grow` hands out room for raw stores.
/// Not thread-safe.
///
///     byte_writer out;
///     encode(out, value);
///     std::vector<std::byte> bytes = std::move(out).take();
class byte_writer {
 public:
  byte_writer() = default;
  /// Appends to `buffer`, whose capacity is used.
  explicit byte_writer(std::vector<std::byte> buffer)
      : buffer_(std::move(buffer)), size_(buffer_.size()) {}

  /// Room for exactly `n` more bytes, which the caller must fill. Valid until the next call.
  std::byte* grow(std::size_t n) {
    if (buffer_.size() - size_ < n) [[unlikely]]
      enlarge(n);
    std::byte* room = buffer_.data() + size_;
    size_ += n;
    return room;
  }

  /// Copies `n` bytes.
  void put_bytes(const void* data, std::size_t n) {
    if (n != 0) std::memcpy(grow(n), data, n);
  }

  /// A length, as `store_length` does. Throws as `length_size`.
  void put_length(std::size_t length) {
    if (length < 0x80) [[likely]]
      *grow(1) = static_cast<std::byte>(length);
    else
      store_length(grow(length_size(length)), length);
  }

  /// Number of bytes written.
  std::size_t size() const noexcept { return size_; }
  /// What was written so far. Valid until the next write.
  std::span<const std::byte> bytes() const noexcept { return {buffer_.data(), size_}; }

  /// Forgets the content, keeps the memory.
  void clear() noexcept { size_ = 0; }
  /// Forgets all but the first `n` bytes, of at least so many.
  void truncate(std::size_t n) noexcept { size_ = std::min(size_, n); }

  /// Gives the bytes away; the writer is empty afterwards.
  std::vector<std::byte> take() && {
    buffer_.resize(size_);
    size_ = 0;
    return std::exchange(buffer_, {});
  }

  /// Counts nesting while it lives. Throws `failure(invalid_data)` for a value no reader would
  /// take.
  class nesting {
   public:
    /// One level deeper, until this goes.
    explicit nesting(byte_writer& out) : out_(out) {
      if (out_.depth_ >= codec_nesting_max)
        throw failure(errc::invalid_data, "can't encode a value that nests deeper than " +
                                              std::to_string(codec_nesting_max) + " containers");
      ++out_.depth_;
    }
    ~nesting() { --out_.depth_; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;

   private:
    byte_writer& out_;
  };

 private:
  void enlarge(std::size_t n) {
    constexpr std::size_t smallest = 256;
    buffer_.resize(std::max({size_ + n, 2 * size_, buffer_.capacity(), smallest}));
  }

  // buffer_.size() is the room at hand, size_ how much of it is written.
  std::vector<std::byte> buffer_;
  std::size_t size_ = 0;
  int depth_ = 0;
};

/// Reads from bytes it does not own and never past their end. The first error sticks: every later
/// read fails too, so that a caller may check once. Not thread-safe.
class byte_reader {
 public:
  explicit byte_reader(std::span<const std::byte> bytes) noexcept
      : begin_(bytes.empty() ? &no_bytes : bytes.data()),
        at_(begin_),
        end_(begin_ + bytes.size()) {}

  /// The next `n` bytes, or nullptr if there are fewer (or the reader already failed).
  const std::byte* take(std::size_t n) noexcept {
    if (remaining() < n) [[unlikely]] {
      fail("the data ends in the middle of a value");
      return nullptr;
    }
    return std::exchange(at_, at_ + n);
  }

  /// A length written by `put_length`.
  bool get_length(std::size_t& length) noexcept {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const std::byte* next = take(1);
      if (next == nullptr) return false;
      value |= std::uint64_t{std::to_integer<std::uint8_t>(*next) & 0x7Fu} << shift;
      if ((*next & std::byte{0x80}) == std::byte{0}) {
        if (value > std::numeric_limits<std::uint32_t>::max()) break;
        length = static_cast<std::size_t>(value);
        return true;
      }
    }
    return fail("a length does not fit 32 bits");
  }

  /// A length of elements that take at least `encoded_min` bytes each, refused before anything is
  /// allocated if the remaining bytes can't hold that many. Elements that encode to nothing are
  /// bounded by their `memory_bytes` instead.
  bool get_count(std::size_t& count, std::size_t encoded_min, std::size_t memory_bytes) noexcept {
    if (!get_length(count)) return false;
    const std::size_t most =
        encoded_min != 0 ? remaining() / encoded_min : codec_weightless_bytes_max / memory_bytes;
    return count <= most || fail("a length says more elements than the data can hold");
  }

  /// Makes the reader fail for the reason given (a string literal). Returns false.
  bool fail(const char* reason) noexcept {
    if (reason_ == nullptr) {
      reason_ = reason;
      failed_at_ = static_cast<std::size_t>(at_ - begin_);
      size_ = static_cast<std::size_t>(end_ - begin_);
      end_ = at_;
    }
    return false;
  }

  /// Whether nothing has failed.
  bool ok() const noexcept { return reason_ == nullptr; }
  /// Bytes left to read; 0 after an error.
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  /// Bytes read so far.
  std::size_t position() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  /// `invalid_data` with the place and the reason of the first error.
  status to_status() const;
  /// Makes the reader fail if there is anything left.
  void expect_end() noexcept {
    if (remaining() != 0) fail("bytes are left over behind the value");
  }

  /// Counts nesting while it lives; false once a value nests too deep.
  class nesting {
   public:
    /// One level deeper, until this goes.
    explicit nesting(byte_reader& in) noexcept : in_(in) {
      if (++in_.depth_ > codec_nesting_max) in_.fail("containers nest too deep");
    }
    ~nesting() { --in_.depth_; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;
    /// Whether the reader is still good.
    explicit operator bool() const noexcept { return in_.ok(); }

   private:
    byte_reader& in_;
  };

 private:
  // Where empty input points to: no bytes are there to take, which is not the nullptr of a failure.
  static constexpr std::byte no_bytes{};

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  const char* reason_ = nullptr;
  std::size_t failed_at_ = 0;
  std::size_t size_ = 0;
  int depth_ = 0;
};

}  // namespace millrace
