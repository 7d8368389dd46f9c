#pragma once

#include <string>
#include <utility>

#include "millrace/api/job_builder.hpp"

namespace millrace {

/// The settings of the operator that was added last, as in
/// `stream.map(parse).name("parse").set_parallelism(4)`. `Self` is what the chain of calls goes on
/// with.
template <class Self>
class operator_settings {
 public:
  /// As plans, logs and errors show it.
  Self name(std::string name) { return with(&graph::stream_node::name, std::move(name)); }

  /// The name of the operator's state for ever. Give one to every operator with state, so that
  /// savepoints still fit after the job has changed; otherwise it derives from the position.
  Self uid(std::string uid) { return with(&graph::stream_node::uid, std::move(uid)); }

  /// Number of subtasks.
  Self set_parallelism(std::uint32_t n) { return with(&graph::stream_node::parallelism, n); }

  /// Number of key groups: as far as the operator can ever be rescaled.
  Self set_max_parallelism(std::uint32_t n) {
    return with(&graph::stream_node::max_parallelism, n);
  }

  /// The operator can only run with one subtask.
  Self set_non_parallel() { return with(&graph::stream_node::non_parallel, true); }

  /// Operators of different groups never share a slot.
  Self slot_sharing_group(std::string group) {
    return with(&graph::stream_node::slot_sharing_group, std::move(group));
  }

  /// The operator runs in tasks of its own.
  Self disable_chaining() { return with(&graph::stream_node::chaining, graph::chaining::never); }

  /// The operator does not run in one task with what comes before it.
  Self start_new_chain() { return with(&graph::stream_node::chaining, graph::chaining::head); }

 protected:
  operator_settings(std::shared_ptr<detail::job_builder> builder, std::uint32_t node)
      : settings_builder_(std::move(builder)), settings_node_(node) {}

 private:
  template <class Member, class Value>
  Self with(Member graph::stream_node::*member, Value value) {
    settings_builder_->node(settings_node_).*member = std::move(value);
    return static_cast<Self&>(*this);
  }

  std::shared_ptr<detail::job_builder> settings_builder_;
  std::uint32_t settings_node_;
};

}  // namespace millrace
