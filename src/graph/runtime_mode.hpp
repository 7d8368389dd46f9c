#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::graph {

/// `execution.runtime-mode`. Numbers travel between nodes: do not renumber.
enum class runtime_mode : std::uint8_t {
  streaming = 0,  ///< Every update is emitted as it happens.
  batch = 1,      ///< Bounded input only: each key's final result is emitted once, at the end.
};

constexpr std::string_view to_string(runtime_mode mode) noexcept {
  switch (mode) {
    case runtime_mode::streaming:
      return "streaming";
    case runtime_mode::batch:
      return "batch";
  }
  return "unknown";
}

/// The inverse of `to_string`; nothing for any other text.
constexpr std::optional<runtime_mode> parse_runtime_mode(std::string_view text) noexcept {
  if (text == "streaming") return runtime_mode::streaming;
  if (text == "batch") return runtime_mode::batch;
  return std::nullopt;
}

}  // namespace millrace::graph
