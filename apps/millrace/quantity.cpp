#include "quantity.hpp"

#include <array>
#include <ctime>

namespace millrace::cli {

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t i = text.size(); i > 3;) {
    i -= 3;
    text.insert(i, 1, ',');
  }
  return text;
}

std::string percent_text(std::uint32_t permille) {
  return std::to_string((permille + 5) / 10) + " %";
}

std::string time_text(std::uint64_t wall_ms) {
  if (wall_ms == 0) return "-";
  const auto seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  std::array<char, 32> text{};
  localtime_r(&seconds, &local);
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

}  // namespace millrace::cli
