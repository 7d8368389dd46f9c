#pragma once

#include <cstdint>

namespace millrace {

/// What a file sink does about output that is there already (Flink's FileSystem.WriteMode).
enum class file_write_mode : std::uint8_t {
  no_overwrite,  ///< The job fails.
  overwrite,     ///< It is replaced, at the end, when the new output is complete.
};

}  // namespace millrace
