#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "millrace/core/error.hpp"

namespace millrace {

/// The initial bytes of an exported variable of a 64-bit ELF shared library, read from the file's
/// content without loading it; nothing if it exports no such symbol. Errors (a reason only): the
/// content is no shared library for this machine, or is damaged. Every offset is checked.
tl::expected<std::optional<std::span<const std::byte>>, std::string> find_exported_bytes(
    std::span<const std::byte> content, std::string_view symbol);

}  // namespace millrace
