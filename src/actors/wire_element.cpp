#include <algorithm>
#include <exception>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/actors/wire_bytes.hpp"
#include "millrace/core/assert.hpp"
#include "millrace/core/codec.hpp"

// The data plane's message, encoded in one pass into the thread's buffer and copied once into
// CAF's:
//
//   element := consumer (job u64 u64, vertex u32, subtask u32, attempt u32) | input channel u32 |
//              kind u8 | body
//
//   body of a record batch := charge u64 | fingerprint u64 | rows u64 | the rows' encoding
//   body of a watermark    := timestamp i64
//   body of a status       := 0 (active) or 1 (idle) u8
//   body of a barrier      := checkpoint u64 | kind u8 | alignment u8 | 0 u8, or 1 u8 | base u64
//   body of a cancellation := checkpoint u64
//
// All numbers are little-endian, as in the codec; the ends of input and of data have no body.

namespace millrace::wire {

namespace {

enum class element_kind : std::uint8_t {
  record_batch = 0,
  end_of_input = 1,
  watermark = 2,
  stream_status = 3,
  barrier = 4,
  cancel_barrier = 5,
  end_of_data = 6,
};

struct element_header {
  execution_attempt_id consumer;
  std::uint32_t input_channel = 0;
  element_kind kind = element_kind::end_of_input;
};

struct batch_header {
  std::uint64_t charge = 0;
  std::uint64_t fingerprint = 0;
  std::uint64_t rows = 0;
};

void encode_batch(byte_writer& out, const element_header& header, const record_batch& batch) {
  MILLRACE_ASSERT(batch.rows, "a record batch without rows");
  batch_header about{batch.charge, batch.rows->fingerprint(), batch.rows->size()};
  encode(out, header, about);
  try {
    batch.rows->encode_rows(out);
    if (out.size() <= message_bytes_max) return;
  } catch (const std::exception&) {
    // A user's codec threw, or a row is one that no decoder takes.
  }
  // An element that got lost would end in wrong results. Rows without bytes cannot be decoded, so
  // that the receiving task fails and names their type.
  out.clear();
  about.rows = std::max<std::uint64_t>(about.rows, 1);
  encode(out, header, about);
}

bool decode_element(byte_reader& in, channel_element& x) {
  element_header header;
  if (!decode(in, header)) return false;
  x.consumer = header.consumer;
  x.input_channel = header.input_channel;
  switch (header.kind) {
    case element_kind::end_of_input:
      x.what = end_of_input{};
      return true;
    case element_kind::end_of_data:
      x.what = end_of_data{};
      return true;
    case element_kind::record_batch: {
      batch_header about;
      if (!decode(in, about)) return false;
      const std::size_t size = in.remaining();
      const std::byte* rows = in.take(size);
      if (rows == nullptr) return false;
      x.what = record_batch{
          batch_ptr(new encoded_batch(about.fingerprint, about.rows, {rows, rows + size})),
          about.charge};
      return true;
    }
    case element_kind::watermark: {
      watermark time;
      if (!decode(in, time.at)) return false;
      x.what = time;
      return true;
    }
    case element_kind::stream_status: {
      std::uint8_t now = 0;
      if (!decode(in, now)) return false;
      if (now > static_cast<std::uint8_t>(stream_status::idle))
        return in.fail("a stream's status is neither active nor idle");
      x.what = static_cast<stream_status>(now);
      return true;
    }
    case element_kind::barrier: {
      barrier cut;
      if (!decode(in, cut)) return false;
      if (cut.kind > checkpoint_kind::final_savepoint ||
          cut.alignment > barrier_alignment::aligned_at_first)
        return in.fail("a barrier is of a kind that there is not");
      x.what = cut;
      return true;
    }
    case element_kind::cancel_barrier: {
      cancel_barrier given_up;
      if (!decode(in, given_up)) return false;
      x.what = given_up;
      return true;
    }
  }
  return in.fail("an element is of a kind that there is not");
}

caf::error save_element(caf::serializer& out, const channel_element& x) noexcept {
  try {
    byte_writer& buffer = scratch_buffer();
    element_header header{x.consumer, x.input_channel, element_kind::end_of_input};
    if (const auto* batch = std::get_if<record_batch>(&x.what)) {
      header.kind = element_kind::record_batch;
      encode_batch(buffer, header, *batch);
    } else if (const auto* time = std::get_if<watermark>(&x.what)) {
      header.kind = element_kind::watermark;
      encode(buffer, header, time->at);
    } else if (const auto* now = std::get_if<stream_status>(&x.what)) {
      header.kind = element_kind::stream_status;
      encode(buffer, header, static_cast<std::uint8_t>(*now));
    } else if (const auto* cut = std::get_if<barrier>(&x.what)) {
      header.kind = element_kind::barrier;
      encode(buffer, header, *cut);
    } else if (const auto* given_up = std::get_if<cancel_barrier>(&x.what)) {
      header.kind = element_kind::cancel_barrier;
      encode(buffer, header, *given_up);
    } else if (std::holds_alternative<end_of_data>(x.what)) {
      header.kind = element_kind::end_of_data;
      encode(buffer, header);
    } else {
      encode(buffer, header);
    }
    return put_message_bytes(out, buffer.bytes());
  } catch (const std::exception& e) {
    return to_caf({errc::internal, e.what()});
  }
}

caf::error load_element(caf::deserializer& in, channel_element& x) noexcept {
  try {
    auto bytes = take_message_bytes(in);
    if (!bytes) return to_caf(bytes.error());
    byte_reader reader(*bytes);
    const bool good = decode_element(reader, x);
    if (good && reader.remaining() == 0) return caf::none;
    if (good) reader.fail("bytes are left over behind the element");
    return to_caf(reader.to_status().error());
  } catch (const std::exception& e) {
    return to_caf({errc::internal, e.what()});
  }
}

}  // namespace

caf::error inspect(caf::serializer& out, channel_element& x) {
  return save_element(out, x);
}
caf::error inspect(caf::deserializer& in, channel_element& x) {
  return load_element(in, x);
}
std::string to_string(const channel_element&) {
  return "channel_element";
}

}  // namespace millrace::wire
