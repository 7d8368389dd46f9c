#pragma once

#include <caf/error.hpp>
#include <caf/fwd.hpp>
#include <cstddef>
#include <span>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"

namespace millrace::wire {

/// The most bytes one encoded message may have. The transport closes connections on frames of more
/// than 16 MiB; the rest is room for CAF's own part of a frame.
inline constexpr std::size_t message_bytes_max = (std::size_t{16} << 20) - (std::size_t{64} << 10);

/// This thread's buffer for encoding, empty. One at a time; valid until the next call.
byte_writer& scratch_buffer();

/// Writes a message's bytes, preceded by their number, in one run.
caf::error put_message_bytes(caf::serializer& out, std::span<const std::byte> bytes);

/// The run of bytes written by put_message_bytes, in place: valid as long as the input of `in`.
/// Nothing is allocated, so a hostile length does no harm.
result<std::span<const std::byte>> take_message_bytes(caf::deserializer& in);

}  // namespace millrace::wire
