#include "millrace/stream/accumulator.hpp"

#include <algorithm>
#include <sstream>

namespace millrace {

namespace {

double sum_of(double a, double b) noexcept {
  return a + b;
}

/// Wraps around, as adding to the counter in one task would.
std::int64_t sum_of(std::int64_t a, std::int64_t b) noexcept {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace

std::string to_string(const accumulator& total) {
  std::ostringstream text;
  std::visit([&](auto value) { text << value; }, total.value);
  return std::move(text).str();
}

void merge_into(accumulator_map& into, const accumulator_map& more) {
  for (const auto& [name, theirs] : more) {
    auto [entry, is_new] = into.try_emplace(name, theirs);
    auto& ours = entry->second;
    if (is_new || ours.how != theirs.how || ours.value.index() != theirs.value.index()) continue;
    std::visit(
        [&](auto& value) {
          using value_type = std::remove_reference_t<decltype(value)>;
          const auto other = std::get<value_type>(theirs.value);
          switch (ours.how) {
            case accumulator::merge::sum:
              value = sum_of(value, other);
              break;
            case accumulator::merge::min:
              value = std::min(value, other);
              break;
            case accumulator::merge::max:
              value = std::max(value, other);
              break;
          }
        },
        ours.value);
  }
}

}  // namespace millrace
