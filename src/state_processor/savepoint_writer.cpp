#include "millrace/state_processor/savepoint_writer.hpp"

#include <algorithm>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/options.hpp"
#include "millrace/source/source_reader_operator.hpp"
#include "millrace/state_processor/operator_copy.hpp"
#include "millrace/state_processor/saved_operator.hpp"
#include "millrace/state_processor/savepoint_output.hpp"

namespace millrace {

namespace {

void check_max_parallelism(std::uint32_t max_parallelism) {
  if (max_parallelism < max_parallelism_min || max_parallelism > max_parallelism_max)
    throw failure(errc::invalid_argument, "a savepoint can't have " +
                                              std::to_string(max_parallelism) +
                                              " key groups: give it a maximal parallelism from " +
                                              std::to_string(max_parallelism_min) + " to " +
                                              std::to_string(max_parallelism_max));
}

detail::stream_part to_output(std::uint32_t node) {
  return {
      node, graph::partitioning::global, true,
      router_factory_ptr(new plain_router_factory<written_subtask>(graph::partitioning::global))};
}

}  // namespace

std::uint32_t bootstrap_transformation::add(const bootstrap_target& target,
                                            std::uint32_t max_parallelism) const {
  const auto id = add_(target);
  auto& node = builder_->node(id);
  node.name = "state of " + target.uid;
  node.max_parallelism = max_parallelism;
  node.non_parallel = !is_parallel_;
  return id;
}

savepoint_writer savepoint_writer::new_savepoint(stream_environment& env,
                                                 std::uint32_t max_parallelism) {
  check_max_parallelism(max_parallelism);
  savepoint_writer made(env);
  made.max_parallelism_ = max_parallelism;
  return made;
}

savepoint_writer savepoint_writer::from_existing(stream_environment& env, const std::string& path) {
  local_file_system files;
  auto metadata = load_snapshot(files, path);
  if (!metadata) throw failure(metadata.error());
  if (metadata->shape != 0)
    throw failure(errc::invalid_argument,
                  "the checkpoint at '" + path +
                      "' is unaligned: it has records that were on their way between tasks, which "
                      "only the same job can take: make the savepoint from one that is aligned, as "
                      "all savepoints are");
  savepoint_writer made(env);
  made.from_ = path;
  made.max_parallelism_ = 0;
  for (const auto& op : metadata->operators) {
    made.kept_.push_back(op.uid);
    made.max_parallelism_ = std::max(made.max_parallelism_, op.max_parallelism);
  }
  made.existing_ = std::make_shared<checkpoint_metadata>(*std::move(metadata));
  return made;
}

bool savepoint_writer::has(const std::string& uid) const {
  return std::ranges::find(kept_, uid) != kept_.end() ||
         std::ranges::find(added_, uid, &added::uid) != added_.end();
}

savepoint_writer& savepoint_writer::with_operator(const std::string& uid,
                                                  bootstrap_transformation state) {
  if (has(uid))
    throw failure(errc::invalid_argument,
                  "the savepoint has an operator with uid '" + uid +
                      "' already: every operator needs a uid of its own, and one of an existing "
                      "savepoint must be removed before it is given other state");
  if (state.builder() != env_->builder())
    throw failure(errc::invalid_argument, "the state of the operator with uid '" + uid +
                                              "' comes from a stream of another environment: use "
                                              "one environment for all of a savepoint");
  auto max_parallelism = max_parallelism_;
  if (existing_ != nullptr)
    if (const auto former = find_operator(*existing_, from_, uid); former)
      max_parallelism = former->max_parallelism;
  check_max_parallelism(max_parallelism);
  added_.push_back({uid, std::move(state), max_parallelism});
  return *this;
}

savepoint_writer& savepoint_writer::remove_operator(const std::string& uid) {
  if (existing_ == nullptr)
    throw failure(errc::invalid_argument,
                  "operator '" + uid +
                      "' can't be removed from a new savepoint: only what an "
                      "existing one has can be");
  if (const auto found = find_operator(*existing_, from_, uid); !found)
    throw failure(found.error());
  std::erase(kept_, uid);
  return *this;
}

std::vector<detail::stream_part> savepoint_writer::add_operators(const std::string& path,
                                                                 std::uint64_t threshold) {
  std::vector<detail::stream_part> written;
  std::uint32_t number = 0;
  for (const auto& [uid, state, max_parallelism] : added_)
    written.push_back(to_output(state.add({path, uid, number++, threshold}, max_parallelism)));
  if (kept_.empty()) return written;
  operator_copies copies{.from = from_, .to = path, .uids = kept_, .counts = {}, .number = number};
  for (const auto& uid : kept_)
    copies.counts.push_back(
        static_cast<std::uint32_t>(find_operator(*existing_, from_, uid)->subtasks.size()));
  graph::stream_node node;
  node.kind = "source";
  node.name = "operators of the savepoint before";
  node.is_source = true;
  written.push_back(to_output(env_->builder()->add_operator(
      std::move(node), make_source<written_subtask>(make_operator_copies(std::move(copies))))));
  return written;
}

data_sink savepoint_writer::write(const std::string& path) {
  auto to = path;
  while (to.size() > 1 && to.ends_with('/')) to.pop_back();
  if (to.empty() || to == "/")
    throw failure(errc::invalid_argument, "a savepoint can't be written to '" + path +
                                              "': name a directory that is not there yet");
  savepoint_plan plan;
  plan.path = to;
  if (existing_ != nullptr) {
    plan.job = existing_->job;
    plan.job_name = existing_->job_name;
    plan.checkpoint = existing_->checkpoint;
  }
  plan.uids = kept_;
  for (const auto& each : added_) plan.uids.push_back(each.uid);
  if (plan.uids.empty())
    throw failure(errc::invalid_argument, "the savepoint at '" + path +
                                              "' would have no operator: add one by with_operator");
  const auto threshold = env_->config().get(options::checkpoint_memory_threshold).bytes;
  const auto written = add_operators(to, threshold);
  auto& builder = env_->builder();
  const auto id =
      builder->add_reader(written, "savepoint", make_savepoint_output(std::move(plan)), true);
  builder->node(id).non_parallel = true;
  return data_sink(builder, {{.node = id, .is_parallel = false}});
}

}  // namespace millrace
