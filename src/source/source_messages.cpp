#include "millrace/source/source_messages.hpp"

namespace millrace {

namespace {

template <class Message>
Message decode_or_throw(byte_view bytes, typename Message::kind last, const char* from) {
  auto message = decode_bytes<Message>(bytes);
  if (!message || message->what < typename Message::kind{1} || message->what > last)
    throw failure(errc::protocol,
                  std::string("an event of the source's ") + from +
                      " is malformed: " + (message ? "unknown kind" : message.error().message));
  return *std::move(message);
}

}  // namespace

std::vector<std::byte> encode_message(const reader_message& message) {
  return encode_to_bytes(message);
}

std::vector<std::byte> encode_message(const enumerator_message& message) {
  return encode_to_bytes(message);
}

reader_message decode_reader_message(byte_view bytes) {
  return decode_or_throw<reader_message>(bytes, reader_message::kind::event, "enumerator");
}

enumerator_message decode_enumerator_message(byte_view bytes) {
  return decode_or_throw<enumerator_message>(bytes, enumerator_message::kind::event, "reader");
}

}  // namespace millrace
