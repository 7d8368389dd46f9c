#pragma once

#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "millrace/state/operator_state.hpp"
#include "millrace/state/state_descriptor.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

namespace detail {

/// A broadcast state of any type, found by its name.
struct opened_broadcast_state {
  std::string name;
  const std::type_info* type = nullptr;
  std::shared_ptr<const void> handle;  // a broadcast_state<K, V>
};

}  // namespace detail

/// Which states a broadcast stream fills: what `broadcast(…)` names. A value.
class broadcast_descriptors {
 public:
  /// Throws `failure(invalid_argument)` for two of one name. None has a time to live, as each
  /// subtask would forget an entry at another record.
  template <class K, class V>
  void add(const map_state_descriptor<K, V>& descriptor) {
    check(descriptor.name());
    names_.push_back(descriptor.name());
    openers_.push_back([descriptor](operator_state_backend& states) {
      using state = broadcast_state<K, V>;
      return detail::opened_broadcast_state{
          descriptor.name(), &typeid(state),
          std::make_shared<const state>(states.get_broadcast_state(descriptor))};
    });
  }

  std::vector<detail::opened_broadcast_state> open(operator_state_backend& states) const;

 private:
  void check(const std::string& name) const;

  std::vector<std::string> names_;
  std::vector<std::function<detail::opened_broadcast_state(operator_state_backend&)>> openers_;
};

/// The broadcast states of one operator in one subtask. Used only in its task.
class broadcast_states {
 public:
  explicit broadcast_states(broadcast_descriptors descriptors)
      : descriptors_(std::move(descriptors)) {}

  void open(operator_context& context);

  /// Throws `failure(invalid_argument)` if `broadcast(…)` did not name that descriptor. There are
  /// one or two: looking through them is faster than hashing a name.
  template <class K, class V>
  const broadcast_state<K, V>& get(const map_state_descriptor<K, V>& descriptor) const {
    using state = broadcast_state<K, V>;
    for (const auto& each : opened_)
      if (each.name == descriptor.name() && *each.type == typeid(state))
        return *static_cast<const state*>(each.handle.get());
    throw_unknown(descriptor.name());
  }

 private:
  [[noreturn]] void throw_unknown(const std::string& name) const;

  broadcast_descriptors descriptors_;
  std::vector<detail::opened_broadcast_state> opened_;
  std::string operator_name_;
};

}  // namespace millrace
