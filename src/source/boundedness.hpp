#pragma once

#include <cstdint>

namespace millrace {

/// Whether a source ends by itself.
enum class boundedness : std::uint8_t { bounded, unbounded };

}  // namespace millrace
