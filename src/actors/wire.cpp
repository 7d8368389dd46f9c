#include "millrace/actors/wire.hpp"

#include <exception>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire_bytes.hpp"
#include "millrace/core/codec.hpp"

namespace millrace::wire {

namespace {

template <class T>
caf::error save(caf::serializer& out, const T& x) noexcept {
  try {
    byte_writer& buffer = scratch_buffer();
    encode(buffer, x);
    return put_message_bytes(out, buffer.bytes());
  } catch (const failure& f) {
    return to_caf(f.what_failed());
  } catch (const std::exception& e) {
    return to_caf({errc::internal, e.what()});
  }
}

template <class T>
caf::error load(caf::deserializer& in, T& x) noexcept {
  try {
    auto bytes = take_message_bytes(in);
    if (!bytes) return to_caf(bytes.error());
    auto value = decode_bytes<T>(*bytes);
    if (!value) return to_caf(value.error());
    x = std::move(*value);
    return caf::none;
  } catch (const std::exception& e) {
    return to_caf({errc::internal, e.what()});
  }
}

}  // namespace

// channel_element is left out: wire_element.cpp has it.
#define MILLRACE_DEFINE_WIRE_TYPE(name)                \
  caf::error inspect(caf::serializer& out, name& x) {  \
    return save<name>(out, x);                         \
  }                                                    \
  caf::error inspect(caf::deserializer& in, name& x) { \
    return load<name>(in, x);                          \
  }                                                    \
  std::string to_string(const name&) {                 \
    return #name;                                      \
  }
MILLRACE_CODEC_WIRE_TYPES(MILLRACE_DEFINE_WIRE_TYPE)
#undef MILLRACE_DEFINE_WIRE_TYPE

}  // namespace millrace::wire
