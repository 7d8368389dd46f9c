#include "millrace/actors/wire_bytes.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/serializer.hpp>

#include "millrace/actors/error_bridge.hpp"

namespace millrace::wire {

byte_writer& scratch_buffer() {
  // The network thread encodes batches of 32 to 256 KiB all the time, and a graph of megabytes once
  // in a while: the former should find warm memory, the latter must not stay for ever.
  constexpr std::size_t kept_bytes_max = std::size_t{1} << 20;
  thread_local byte_writer buffer;
  if (buffer.size() > kept_bytes_max) buffer = byte_writer();
  buffer.clear();
  return buffer;
}

caf::error put_message_bytes(caf::serializer& out, std::span<const std::byte> bytes) {
  std::size_t size = bytes.size();
  if (size > message_bytes_max)
    return to_caf({errc::invalid_data, "a message of " + std::to_string(size) +
                                           " bytes cannot be sent: at most " +
                                           std::to_string(message_bytes_max) + " are possible"});
  if (auto e = out.begin_sequence(size)) return e;
  // CAF's interface is the same for reading and writing, hence without const.
  if (auto e = out.apply_raw(size, const_cast<std::byte*>(bytes.data()))) return e;
  return out.end_sequence();
}

result<std::span<const std::byte>> take_message_bytes(caf::deserializer& in) {
  auto* binary = dynamic_cast<caf::binary_deserializer*>(&in);
  if (binary == nullptr) return fail(errc::internal, "messages are only read from binary data");
  std::size_t size = 0;
  if (auto e = binary->begin_sequence(size)) return tl::unexpected(from_caf(e));
  if (size > message_bytes_max || size > binary->remaining())
    return fail(errc::invalid_data, "a message says it has " + std::to_string(size) +
                                        " bytes, but " + std::to_string(binary->remaining()) +
                                        " are there");
  std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(binary->remainder().data()),
                                   size);
  binary->skip(size);
  if (auto e = binary->end_sequence()) return tl::unexpected(from_caf(e));
  return bytes;
}

}  // namespace millrace::wire
