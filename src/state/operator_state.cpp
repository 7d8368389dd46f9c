#include "millrace/state/operator_state.hpp"

#include <optional>

#include "millrace/state/state_evolution.hpp"

namespace millrace {

namespace {

/// An element of a list, or a key with its value.
result<std::vector<std::byte>> evolve_element(const type_evolution& how, byte_view bytes) {
  byte_reader in(bytes);
  byte_writer out;
  for (std::size_t part = 0; part < how.from().parts.size(); ++part)
    if (!how.evolve_part(part, in, out)) break;
  if (in.ok() && in.remaining() != 0) in.fail("bytes are left over behind the value");
  if (!in.ok()) return tl::unexpected(in.to_status().error());
  return std::move(out).take();
}

}  // namespace

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
  const auto refuse = [&](const std::string& why) {
    return fail(errc::type_mismatch,
                subject(name) + " can't be restored: " + why +
                    "; give the state of the new type a new name, or keep the old type; or give "
                    "the operator another uid and start without its state (millrace run -n), "
                    "which is lost then");
  };
  if (saved.mode != to.mode) return refuse("it was of another kind");
  if (saved.serializer_version != codec_version)
    return refuse("it was written by version " + std::to_string(saved.serializer_version) +
                  " of the encoding, and this is version " + std::to_string(codec_version));
  std::optional<type_evolution> how;
  if (saved.type != to.type) {
    auto found = type_evolution::between(saved.type, to.type);
    if (!found) return refuse("it had another type: " + found.error().message);
    how = std::move(*found);
  }
  for (const auto& bytes : saved.elements) {
    auto added = how ? evolve_element(*how, bytes).and_then(to.add) : to.add(bytes);
    if (!added)
      return fail(added.error().code,
                  subject(name) + " can't be restored: " + added.error().message);
  }
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
