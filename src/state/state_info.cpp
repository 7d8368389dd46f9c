#include "millrace/state/state_info.hpp"

#include "millrace/core/codec_traits.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/known_types.hpp"

namespace millrace {

std::string_view to_string(state_kind kind) noexcept {
  switch (kind) {
    case state_kind::value:
      return "value state";
    case state_kind::list:
      return "list state";
    case state_kind::map:
      return "map state";
    case state_kind::reducing:
      return "reducing state";
    case state_kind::aggregating:
      return "aggregating state";
    case state_kind::timers:
      return "timer service";
    case state_kind::schedule:
      return "schedule of keys";
  }
  return "state of an unknown kind";
}

void check_state_name(const std::string& name) {
  if (name.starts_with('_'))
    throw failure(errc::invalid_argument,
                  "state '" + name +
                      "' can't be called so: names that begin with '_' are those of the operators' "
                      "own states; choose another name");
}

std::string remedy_for_other_type(const std::string& name) {
  if (!name.starts_with('_'))
    return "give the state of the new type a new name, or keep the old type";
  return "keep the old type, or give the operator another uid and start without its state "
         "(millrace run -n), which is lost then";
}

std::string why_incompatible(const state_info& saved, const state_info& wanted) {
  if (saved.kind != wanted.kind)
    return "was a " + std::string(to_string(saved.kind)) + " and is now a " +
           std::string(to_string(wanted.kind));
  if (saved.serializer_version != wanted.serializer_version)
    return "was written by version " + std::to_string(saved.serializer_version) +
           " of the encoding, and this is version " + std::to_string(wanted.serializer_version);
  const auto compare = [](const char* what, std::uint64_t then, std::uint64_t now) -> std::string {
    if (then == now) return {};
    const auto named = [](std::uint64_t type) {
      return known_description(type).value_or("of unknown form");
    };
    return "had another type of " + std::string(what) + ": it was " + named(then) + " and is now " +
           named(now);
  };
  if (auto why = compare("key", saved.key_type, wanted.key_type); !why.empty()) return why;
  if (auto why = compare("namespace", saved.namespace_type, wanted.namespace_type); !why.empty())
    return why;
  if (auto why = compare("map key", saved.map_key_type, wanted.map_key_type); !why.empty())
    return why;
  return compare("value", saved.value_type, wanted.value_type);
}

}  // namespace millrace
