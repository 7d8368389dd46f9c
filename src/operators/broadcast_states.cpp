#include "millrace/operators/broadcast_states.hpp"

#include <algorithm>

#include "millrace/state/state_info.hpp"

namespace millrace {

void broadcast_descriptors::check(const std::string& name) const {
  check_state_name(name);
  if (std::find(names_.begin(), names_.end(), name) != names_.end())
    throw failure(errc::invalid_argument,
                  "broadcast state '" + name + "' is named twice; each needs a name of its own");
}

std::vector<detail::opened_broadcast_state> broadcast_descriptors::open(
    operator_state_backend& states) const {
  std::vector<detail::opened_broadcast_state> opened;
  for (const auto& open_one : openers_) opened.push_back(open_one(states));
  return opened;
}

void broadcast_states::open(operator_context& context) {
  operator_name_ = context.runtime().operator_name();
  opened_ = descriptors_.open(context.operator_state());
}

void broadcast_states::throw_unknown(const std::string& name) const {
  const bool is_other_type = std::any_of(opened_.begin(), opened_.end(),
                                         [&](const auto& each) { return each.name == name; });
  throw failure(errc::invalid_argument,
                "operator '" + operator_name_ + "' has no broadcast state '" + name + "'" +
                    (is_other_type ? " of that type" : "") +
                    ": use a descriptor that the stream's broadcast(…) was given");
}

}  // namespace millrace
