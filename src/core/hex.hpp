#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Two lower-case hex digits for each byte.
std::string to_hex(std::span<const std::byte> bytes);
/// The inverse; nothing for any other text.
std::optional<std::vector<std::byte>> parse_hex(std::string_view text);

}  // namespace millrace
