#include "millrace/transport/type_allow_list.hpp"

#include <algorithm>
#include <array>

namespace millrace::transport {

namespace {

constexpr std::array basic_elements = {
    "@i8",  "@i16", "@i32",  "@i64",  "@u8",    "@u16",  "@u32",      "@u64",
    "bool", "@str", "@atom", "@unit", "@actor", "@node", "@timespan", "@strong_actor_ptr"};

// Never valid, even if somebody lists them.
constexpr std::array dangerous_elements = {"float",         "double",          "@ldouble",
                                           "@message",      "@error",          "@exit",
                                           "@down",         "@group_down",     "@open_stream_msg",
                                           "@upstream_msg", "@downstream_msg", "@config_value"};

constexpr std::string_view prefix = "@<>";
constexpr std::string_view link_request = "@<>+@atom+@strong_actor_ptr";

}  // namespace

type_allow_list::type_allow_list(const std::vector<std::string>& wire_types) {
  elements_.insert(basic_elements.begin(), basic_elements.end());
  elements_.insert(wire_types.begin(), wire_types.end());
  for (const char* name : dangerous_elements) elements_.erase(name);
}

bool type_allow_list::allows(std::string_view message_type) const {
  if (!message_type.starts_with(prefix)) return false;
  if (message_type == error_response) return true;
  if (message_type == link_request) return false;
  auto rest = message_type.substr(prefix.size());
  while (!rest.empty()) {
    if (rest.front() != '+') return false;
    rest.remove_prefix(1);
    const auto element = rest.substr(0, rest.find('+'));
    if (!elements_.contains(element)) return false;
    rest.remove_prefix(element.size());
  }
  return true;
}

}  // namespace millrace::transport
