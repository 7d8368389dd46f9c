#include "millrace/stream/record_type.hpp"

#include "millrace/core/ids.hpp"

namespace millrace {

namespace {

std::string hex(std::uint64_t word) {
  return format_hex_id(0, word).substr(16);
}

}  // namespace

status check_record_type(const record_type& expected, const batch& got) {
  if (got.fingerprint() == expected.fingerprint()) return {};
  return fail(errc::type_mismatch,
              "records of type " + std::string(expected.description()) + " (fingerprint " +
                  hex(expected.fingerprint()) + ") were expected, but records with fingerprint " +
                  hex(got.fingerprint()) +
                  " arrived: build both ends of the stream from the same source");
}

namespace detail {

error undecodable_batch(const record_type& type, const encoded_batch& bytes, const error& why) {
  return {errc::invalid_data, "a batch of " + std::to_string(bytes.size()) + " records of type " +
                                  std::string(type.description()) + " in " +
                                  std::to_string(bytes.bytes().size()) +
                                  " bytes cannot be decoded: " + why.message};
}

}  // namespace detail

}  // namespace millrace
