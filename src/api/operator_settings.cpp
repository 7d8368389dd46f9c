#include "millrace/api/operator_settings.hpp"

namespace millrace::detail {

void settings_of_targets::set_name(const std::string& name) {
  for (const auto& target : targets_) builder_->node(target.node).name = name + target.name_suffix;
}

void settings_of_targets::set_uid(const std::string& uid) {
  for (const auto& target : targets_) builder_->node(target.node).uid = uid + target.uid_suffix;
}

void settings_of_targets::set_parallelism(std::uint32_t n) {
  for (const auto& target : targets_)
    if (target.is_parallel) builder_->node(target.node).parallelism = n;
}

void settings_of_targets::set_max_parallelism(std::uint32_t n) {
  for (const auto& target : targets_)
    if (target.is_parallel) builder_->node(target.node).max_parallelism = n;
}

void settings_of_targets::set_non_parallel() {
  for (const auto& target : targets_) builder_->node(target.node).non_parallel = true;
}

void settings_of_targets::set_slot_sharing_group(const std::string& group) {
  for (const auto& target : targets_) builder_->node(target.node).slot_sharing_group = group;
}

void settings_of_targets::set_chaining(graph::chaining how) {
  for (const auto& target : targets_) {
    auto& node = builder_->node(target.node);
    if (node.chaining != graph::chaining::with_input) node.chaining = how;
  }
}

}  // namespace millrace::detail
