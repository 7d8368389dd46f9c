#include "millrace/source/hybrid_messages.hpp"

#include <utility>

namespace millrace {

namespace {

template <class Message>
Message decode_or_throw(byte_view bytes) {
  auto message = decode_bytes<Message>(bytes);
  if (!message)
    throw failure(errc::protocol,
                  "an event of the hybrid source is malformed: " + message.error().message);
  return *std::move(message);
}

}  // namespace

/// An index has no '/', so whatever the ids are, no two names are the same.
std::string hybrid_split_name(std::uint32_t index, const std::string& id) {
  return std::to_string(index) + '/' + id;
}

/// The source may be a hybrid one, too, whose reader has such names for its splits.
std::string hybrid_split::name() const {
  const bool is_hybrid = split.type == fingerprint_of<hybrid_split>();
  return hybrid_split_name(index, is_hybrid ? decode_split<hybrid_split>(split).name() : split.id);
}

std::vector<std::byte> encode_message(const hybrid_reader_message& message) {
  return encode_to_bytes(message);
}

std::vector<std::byte> encode_message(const hybrid_enumerator_message& message) {
  return encode_to_bytes(message);
}

hybrid_reader_message decode_hybrid_reader_message(byte_view bytes) {
  return decode_or_throw<hybrid_reader_message>(bytes);
}

hybrid_enumerator_message decode_hybrid_enumerator_message(byte_view bytes) {
  return decode_or_throw<hybrid_enumerator_message>(bytes);
}

std::vector<encoded_split> wrap(std::uint32_t index, std::vector<encoded_split> splits) {
  for (auto& split : splits) split = encode_split(hybrid_split{index, std::move(split)});
  return splits;
}

std::vector<hybrid_split> unwrap(const std::vector<encoded_split>& splits) {
  return decode_splits<hybrid_split>(splits);
}

}  // namespace millrace
