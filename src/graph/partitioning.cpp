#include "millrace/graph/partitioning.hpp"

#include <array>

namespace millrace::graph {

namespace {

constexpr std::array<std::string_view, 8> names = {"forward", "hash",      "rebalance", "rescale",
                                                   "shuffle", "broadcast", "global",    "custom"};

}  // namespace

std::string_view to_string(partitioning p) noexcept {
  auto index = static_cast<std::size_t>(p);
  return index < names.size() ? names[index] : "unknown";
}

std::optional<partitioning> parse_partitioning(std::string_view text) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) return static_cast<partitioning>(i);
  return std::nullopt;
}

}  // namespace millrace::graph
