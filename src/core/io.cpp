#include "millrace/core/io.hpp"

namespace millrace {

std::chrono::steady_clock::time_point system_clock_source::now() const noexcept {
  return std::chrono::steady_clock::now();
}

std::int64_t system_clock_source::wall_ms() const noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace millrace
