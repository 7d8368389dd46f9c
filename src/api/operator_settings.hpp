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

/// What operator_settings does, without the type that its calls return.
class settings_of_targets {
 public:
  settings_of_targets(std::shared_ptr<job_builder> builder, std::vector<settings_target> targets)
      : builder_(std::move(builder)), targets_(std::move(targets)) {}

  void set_name(const std::string& name);
  void set_uid(const std::string& uid);
  void set_parallelism(std::uint32_t n);
  void set_max_parallelism(std::uint32_t n);
  void set_non_parallel();
  void set_slot_sharing_group(const std::string& group);
  /// What belongs together stays together.
  void set_chaining(graph::chaining how);

 private:
  std::shared_ptr<job_builder> builder_;
  std::vector<settings_target> targets_;
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
    settings_.set_name(name);
    return self();
  }

  /// The name of the operator's state for ever. Give one to every operator with state, so that
  /// savepoints still fit after the job has changed; otherwise it derives from the position.
  Self uid(const std::string& uid) {
    settings_.set_uid(uid);
    return self();
  }

  /// Number of subtasks.
  Self set_parallelism(std::uint32_t n) {
    settings_.set_parallelism(n);
    return self();
  }

  /// Number of key groups: as far as the operator can ever be rescaled.
  Self set_max_parallelism(std::uint32_t n) {
    settings_.set_max_parallelism(n);
    return self();
  }

  /// The operator can only run with one subtask.
  Self set_non_parallel() {
    settings_.set_non_parallel();
    return self();
  }

  /// Operators of different groups never share a slot.
  Self slot_sharing_group(const std::string& group) {
    settings_.set_slot_sharing_group(group);
    return self();
  }

  /// The operator runs in tasks of its own.
  Self disable_chaining() {
    settings_.set_chaining(graph::chaining::never);
    return self();
  }

  /// The operator does not run in one task with what comes before it.
  Self start_new_chain() {
    settings_.set_chaining(graph::chaining::head);
    return self();
  }

 protected:
  operator_settings(std::shared_ptr<detail::job_builder> builder,
                    std::vector<detail::settings_target> targets)
      : settings_(std::move(builder), std::move(targets)) {}

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }

  detail::settings_of_targets settings_;
};

}  // namespace millrace
