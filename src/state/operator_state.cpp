#include "millrace/state/operator_state.hpp"

#include <algorithm>
#include <optional>
#include <utility>

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

/// How what was saved becomes part of a state of that mode and type: nothing if it is already. The
/// error says why it can't.
result<std::optional<type_evolution>> way_into(operator_state_mode mode, std::uint64_t type,
                                               const saved_operator_state& saved) {
  const bool is_united = saved.mode == operator_state_mode::unite_others;
  if ((is_united ? operator_state_mode::unite : saved.mode) != mode)
    return fail(errc::type_mismatch, "it was of another kind");
  // An empty list has no type. An empty copy of a broadcast state has: it may be the newest.
  if (saved.elements.empty() && mode != operator_state_mode::broadcast) return std::nullopt;
  if (saved.serializer_version != codec_version)
    return fail(errc::type_mismatch,
                "it was written by version " + std::to_string(saved.serializer_version) +
                    " of the encoding, and this is version " + std::to_string(codec_version));
  if (saved.type == type) return std::nullopt;
  auto how = type_evolution::between(saved.type, type);
  if (!how) return fail(errc::type_mismatch, "it had another type: " + how.error().message);
  return *std::move(how);
}

/// Which copy of a broadcast state goes on. Subtasks that did not ask for it since its type has
/// changed have kept it as it was, and lack what the others have put into theirs. A copy that can't
/// become one of `type` goes before all, to be refused: its content would be lost silently.
const saved_operator_state& copy_that_counts(const std::vector<saved_operator_state>& copies,
                                             std::uint64_t type) {
  const auto* newest = &copies.front();
  for (const auto& each : copies) {
    if (!way_into(operator_state_mode::broadcast, type, each)) return each;
    if (type_evolution::between(newest->type, each.type)) newest = &each;
  }
  return *newest;
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
  if (auto given = give_unclaimed(name, kept); !given) throw failure(given.error());
  return kept;
}

status operator_state_backend::give_unclaimed(const std::string& name, state& to) {
  std::vector<saved_operator_state> waiting;
  const auto [first, last] = unclaimed_.equal_range(name);
  for (auto at = first; at != last; ++at) waiting.push_back(std::move(at->second));
  unclaimed_.erase(first, last);
  if (to.mode == operator_state_mode::broadcast && !waiting.empty())
    return give(name, to, copy_that_counts(waiting, to.type));
  for (const auto& each : waiting)
    if (auto given = give(name, to, each); !given) return given;
  return {};
}

status operator_state_backend::give(const std::string& name, state& to,
                                    const saved_operator_state& saved) const {
  const auto how = way_into(to.mode, to.type, saved);
  if (!how)
    return fail(how.error().code,
                subject(name) + " can't be restored: " + how.error().message +
                    "; give the state of the new type a new name, or keep the old type; or give "
                    "the operator another uid and start without its state (millrace run -n), "
                    "which is lost then");
  for (const auto& bytes : saved.elements) {
    auto added = *how ? evolve_element(**how, bytes).and_then(to.add) : to.add(bytes);
    if (!added)
      return fail(added.error().code,
                  subject(name) + " can't be restored: " + added.error().message);
  }
  return {};
}

std::vector<saved_operator_state> operator_state_backend::snapshot() const {
  std::vector<saved_operator_state> all;
  for (const auto& [name, saved] : unclaimed_)
    if (saved.mode != operator_state_mode::unite_others) all.push_back(saved);
  for (const auto& [name, s] : states_)
    all.push_back({name, s.mode, codec_version, s.type, s.save()});
  std::ranges::stable_sort(all, {}, &saved_operator_state::name);
  return all;
}

status operator_state_backend::restore(const std::vector<saved_operator_state>& saved) {
  for (const auto& each : saved) unclaimed_.emplace(each.name, each);
  for (auto& [name, asked_for] : states_)
    if (auto given = give_unclaimed(name, asked_for); !given) return given;
  return {};
}

}  // namespace millrace
