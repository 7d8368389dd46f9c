#include "millrace/connectors/sql_value.hpp"

#include <bit>
#include <cstring>

#include "millrace/core/hash.hpp"

namespace millrace {

static_assert(std::endian::native == std::endian::little,
              "frames are written as they lie in memory");

namespace {

constexpr std::string_view header("MRKV\0\0\0\1", 8);

struct frame {
  std::uint32_t bytes = 0;
  std::uint32_t check = 0;
};

std::uint32_t check_of(const void* data, std::size_t size) {
  return static_cast<std::uint32_t>(XXH3_64bits(data, size));
}

}  // namespace

void append_change(std::string& out, const key_value_change& change) {
  thread_local byte_writer encoded;
  encoded.clear();
  encode(encoded, change);
  const auto bytes = encoded.bytes();
  const frame before{static_cast<std::uint32_t>(bytes.size()),
                     check_of(bytes.data(), bytes.size())};
  out.append(reinterpret_cast<const char*>(&before), sizeof before);
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string_view change_file_header() noexcept {
  return header;
}

result<std::optional<key_value_change>> change_reader::next() {
  const auto damaged = [](const char* how) { return fail(errc::invalid_data, how); };
  if (!std::exchange(has_begun_, true)) {
    if (!rest_.starts_with(header)) return damaged("it does not begin as a staging file does");
    rest_.remove_prefix(header.size());
  }
  if (rest_.empty()) return std::nullopt;
  frame before;
  if (rest_.size() < sizeof before) return damaged("it ends within a change");
  std::memcpy(&before, rest_.data(), sizeof before);
  rest_.remove_prefix(sizeof before);
  if (rest_.size() < before.bytes) return damaged("it ends within a change");
  const auto bytes = rest_.substr(0, before.bytes);
  rest_.remove_prefix(before.bytes);
  if (check_of(bytes.data(), bytes.size()) != before.check)
    return damaged("the checksum of a change is wrong");
  return decode_bytes<key_value_change>(std::as_bytes(std::span(bytes)))
      .map([](key_value_change change) { return std::optional(std::move(change)); });
}

}  // namespace millrace
