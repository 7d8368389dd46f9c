#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/state/redistribution.hpp"

namespace millrace {

/// As errors call an operator: "operator 'count visits' (uid visits)".
inline std::string operator_subject(const std::string& name, const std::string& uid) {
  return "operator '" + name + "' (uid " + uid + ")";
}

/// Which state of a snapshot a source reads.
struct saved_state_query {
  struct operator_state {
    std::string name;
    operator_state_mode mode = operator_state_mode::split;
    std::uint64_t type = 0;  ///< Fingerprint of the container.
  };

  std::string path;  ///< Of the snapshot.
  std::string uid;   ///< Of the operator.
  /// Nothing: all keyed state.
  std::optional<operator_state> of_subtasks{};
};

/// Some of the state of an operator, and how far it was read: key groups of keyed state, subtasks
/// of operator state, numbered either way.
struct saved_state_split {
  std::string operator_name;  ///< For errors.
  std::string operator_uid;
  std::uint32_t max_parallelism = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t next = 0;  ///< The piece that comes next, beyond `last` for none;
  std::uint64_t done = 0;  ///< and how many of its keys or elements were emitted.

  std::string id() const { return std::to_string(first) + "-" + std::to_string(last); }
  /// The operator as errors call it.
  std::string subject() const { return operator_subject(operator_name, operator_uid); }
};

}  // namespace millrace
