#include "millrace/state/state_info.hpp"

#include "millrace/core/codec_traits.hpp"
#include "millrace/core/error.hpp"

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

std::string why_incompatible(const state_info& saved, const state_info& wanted) {
  if (saved.kind != wanted.kind)
    return "was a " + std::string(to_string(saved.kind)) + " and is now a " +
           std::string(to_string(wanted.kind));
  if (saved.serializer_version != wanted.serializer_version)
    return "was written by version " + std::to_string(saved.serializer_version) +
           " of the encoding, and this is version " + std::to_string(wanted.serializer_version);
  if (saved.key_type != wanted.key_type) return "had another type of key";
  if (saved.namespace_type != wanted.namespace_type) return "had another type of namespace";
  if (saved.map_key_type != wanted.map_key_type) return "had another type of map key";
  if (saved.value_type != wanted.value_type) return "had another type of value";
  return {};
}

}  // namespace millrace
