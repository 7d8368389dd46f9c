#pragma once

#include <string>
#include <utility>
#include <vector>

#include "millrace/api/job_builder.hpp"

namespace millrace {

namespace detail {

/// An operator that settings are for. Those of a sink are for all that it consists of.
struct settings_target {
  std::uint32_t node = 0;
  std::string name_suffix{};
  std::string uid_suffix{};
  bool is_parallel = true;  // or the number of subtasks is not to be set
};

}  // namespace detail

/// The settings of the operator that was added last, as in
/// `stream.map(parse).name("parse").set_parallelism(4)`. `Self` is what the chain of calls goes on
/// with.
template <class Self>
class operator_settings {
 public:
  /// As plans, logs and errors show it.
  Self name(const std::string& name) {
    return with([&](auto& node, const auto& target) { node.name = name + target.name_suffix; });
  }

  /// The name of the operator's state for ever. Give one to every operator with state, so that
  /// savepoints still fit after the job has changed; otherwise it derives from the position.
  Self uid(const std::string& uid) {
    return with([&](auto& node, const auto& target) { node.uid = uid + target.uid_suffix; });
  }

  /// Number of subtasks.
  Self set_parallelism(std::uint32_t n) {
    return with([&](auto& node, const auto& target) {
      if (target.is_parallel) node.parallelism = n;
    });
  }

  /// Number of key groups: as far as the operator can ever be rescaled.
  Self set_max_parallelism(std::uint32_t n) {
    return with([&](auto& node, const auto& target) {
      if (target.is_parallel) node.max_parallelism = n;
    });
  }

  /// The operator can only run with one subtask.
  Self set_non_parallel() {
    return with([](auto& node, const auto&) { node.non_parallel = true; });
  }

  /// Operators of different groups never share a slot.
  Self slot_sharing_group(const std::string& group) {
    return with([&](auto& node, const auto&) { node.slot_sharing_group = group; });
  }

  /// The operator runs in tasks of its own.
  Self disable_chaining() { return set_chaining(graph::chaining::never); }

  /// The operator does not run in one task with what comes before it.
  Self start_new_chain() { return set_chaining(graph::chaining::head); }

 protected:
  operator_settings(std::shared_ptr<detail::job_builder> builder,
                    std::vector<detail::settings_target> targets)
      : settings_builder_(std::move(builder)), settings_targets_(std::move(targets)) {}

 private:
  /// What belongs together stays together.
  Self set_chaining(graph::chaining how) {
    return with([how](auto& node, const auto&) {
      if (node.chaining != graph::chaining::with_input) node.chaining = how;
    });
  }

  template <class Set>
  Self with(Set set) {
    for (const auto& target : settings_targets_) set(settings_builder_->node(target.node), target);
    return static_cast<Self&>(*this);
  }

  std::shared_ptr<detail::job_builder> settings_builder_;
  std::vector<detail::settings_target> settings_targets_;
};

}  // namespace millrace
