#include "millrace/core/ids.hpp"

namespace millrace {

namespace {

void append_hex(std::string& out, std::uint64_t word) {
  constexpr char digits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += digits[(word >> shift) & 15];
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string format_hex_id(std::uint64_t high, std::uint64_t low) {
  std::string out;
  out.reserve(32);
  append_hex(out, high);
  append_hex(out, low);
  return out;
}

std::optional<std::array<std::uint64_t, 2>> parse_hex_id(std::string_view text) noexcept {
  if (text.size() != 32) return std::nullopt;
  std::array<std::uint64_t, 2> words{};
  for (std::size_t i = 0; i < 32; ++i) {
    const int value = hex_value(text[i]);
    if (value < 0) return std::nullopt;
    words[i / 16] = words[i / 16] << 4 | static_cast<std::uint64_t>(value);
  }
  return words;
}

std::string to_string(const execution_attempt_id& id) {
  return to_string(id.job) + "/v" + std::to_string(id.vertex) + "/s" + std::to_string(id.subtask) +
         "/a" + std::to_string(id.attempt);
}

}  // namespace millrace
