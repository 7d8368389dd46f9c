#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

/// What kind of state it is. Numbers are in snapshots: do not renumber.
enum class state_kind : std::uint8_t {
  value = 1,
  list = 2,
  map = 3,
  reducing = 4,
  aggregating = 5,
  timers = 6,
  schedule = 7,
};

/// "value state", "timer service", …
std::string_view to_string(state_kind kind) noexcept;

/// What a snapshot says about a state ahead of its content. Fingerprints are those of
/// core/fingerprint.hpp; two states have interchangeable content if kind and fingerprints are
/// equal.
struct state_info {
  std::string name;
  state_kind kind = state_kind::value;
  std::uint32_t serializer_version = 0;  ///< codec_version when it was written.
  bool has_ttl = false;                  ///< Values are preceded by the time of their last touch.
  std::uint64_t key_type = 0;
  std::uint64_t namespace_type = 0;
  std::uint64_t map_key_type = 0;  ///< 0 unless it is a map.
  std::uint64_t value_type = 0;    ///< Of an element, for lists; of the accumulator; else 0.

  bool operator==(const state_info&) const = default;
};

/// Throws `failure(invalid_argument)` for a name that functions can't give a state: one that begins
/// with '_', as those of operators do.
void check_state_name(const std::string& name);

/// What to do about a state whose type is another one than in the snapshot, for messages: those of
/// operators have no names that could be changed.
std::string remedy_for_other_type(const std::string& name);

/// Why content that was saved as `saved` is no content for `wanted`: "is a list state in the
/// snapshot, but a value state in the job"; empty if it is.
std::string why_incompatible(const state_info& saved, const state_info& wanted);

}  // namespace millrace
