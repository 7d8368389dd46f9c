#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace millrace::transport {

/// Which CAF messages a peer may send, judged by the type name that precedes a message's bytes:
/// "@<>" and then "+<element type>" for each element, e.g. "@<>+@u64+millrace::record_batch".
/// A message passes if every element type is on the list, so any combination of registered types
/// does and nothing else. Immutable after construction, so all connections share one.
///
/// Three things are refused whatever the list says:
/// - floats: CAF's encoding of them never ends for infinities;
/// - `@message`, `@exit` and other carriers of nested or system messages;
/// - an atom with an actor handle: CAF takes it for a link request and casts the handle unchecked.
class type_allow_list {
 public:
  /// `wire_types`: names of the engine's own message types, as registered with CAF. Integers,
  /// bool, string, actor handles, node ids and time spans are always allowed.
  explicit type_allow_list(const std::vector<std::string>& wire_types);

  /// Judges a whole message type name. `@<>+@error`, the answer to a failed request, passes too;
  /// what its context holds must be judged on its own.
  bool allows(std::string_view message_type) const;

  /// The answer to a failed request: an error code followed by one nested message.
  static constexpr std::string_view error_response = "@<>+@error";

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  std::unordered_set<std::string, hash, std::equal_to<>> elements_;
};

}  // namespace millrace::transport
