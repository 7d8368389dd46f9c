#include "millrace/state/operator_state.hpp"

namespace millrace {

std::string operator_state_backend::subject(const std::string& name) const {
  return "operator state '" + name + "' of operator '" + operator_name_ + "'";
}

operator_state_backend::state* operator_state_backend::find(const std::string& name,
                                                            operator_state_mode mode,
                                                            std::uint64_t type,
                                                            const std::type_info& cpp_type) {
  const auto found = states_.find(name);
  if (found == states_.end()) return nullptr;
  const auto& known = found->second;
  if (known.mode != mode || known.type != type || *known.cpp_type != cpp_type)
    throw failure(errc::invalid_argument,
                  subject(name) +
                      " is already in use with another kind or type; every state of an operator "
                      "needs a name of its own");
  return &found->second;
}

operator_state_backend::state& operator_state_backend::insert(const std::string& name, state made) {
  if (name.empty())
    throw failure(errc::invalid_argument,
                  "an operator state of operator '" + operator_name_ + "' has no name");
  auto& kept = states_[name] = std::move(made);
  const auto waiting = unclaimed_.find(name);
  if (waiting == unclaimed_.end()) return kept;
  const auto saved = std::move(waiting->second);
  unclaimed_.erase(waiting);
  if (auto given = give(name, kept, saved); !given) throw failure(given.error());
  return kept;
}

status operator_state_backend::give(const std::string& name, state& to,
                                    const saved_operator_state& saved) const {
  if (saved.mode != to.mode || saved.type != to.type || saved.serializer_version != codec_version)
    return fail(errc::type_mismatch,
                subject(name) +
                    " can't be restored: it had another kind or type; give the state of the new "
                    "type a new name, or keep the old type");
  for (const auto& bytes : saved.elements)
    if (auto added = to.add(bytes); !added)
      return fail(added.error().code,
                  subject(name) + " can't be restored: " + added.error().message);
  return {};
}

std::vector<saved_operator_state> operator_state_backend::snapshot() const {
  std::map<std::string, saved_operator_state> all = unclaimed_;
  for (const auto& [name, s] : states_) all[name] = {name, s.mode, codec_version, s.type, s.save()};
  std::vector<saved_operator_state> in_order;
  for (auto& [name, saved] : all) in_order.push_back(std::move(saved));
  return in_order;
}

status operator_state_backend::restore(const std::vector<saved_operator_state>& saved) {
  for (const auto& each : saved) {
    const auto found = states_.find(each.name);
    if (found == states_.end()) {
      auto [kept, is_new] = unclaimed_.try_emplace(each.name, each);
      if (!is_new) return fail(errc::invalid_data, subject(each.name) + " is in a snapshot twice");
    } else if (auto given = give(each.name, found->second, each); !given) {
      return given;
    }
  }
  return {};
}

}  // namespace millrace
