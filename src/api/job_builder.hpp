#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/api/job_plan.hpp"
#include "millrace/api/job_runner.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/graph/job_graph_builder.hpp"
#include "millrace/stream/operator.hpp"
#include "millrace/stream/router.hpp"

namespace millrace::detail {

/// One operator whose records a stream consists of, and how they travel to the next one.
struct stream_part {
  std::uint32_t node = 0;
  graph::partitioning partitioning = graph::partitioning::forward;
  bool is_explicit = false;
  router_factory_ptr router;
  std::string side_output{};  // the tag; empty: the main output
};

/// The same parts, all of them travelling that way.
std::vector<stream_part> partitioned(std::vector<stream_part> parts, graph::partitioning how,
                                     const router_factory_ptr& router);

/// What an environment and its streams share: the operators described so far, and the job-wide
/// settings. Not thread-safe.
class job_builder {
 public:
  job_builder(configuration config, std::shared_ptr<job_runner> runner, bool only_plans)
      : config_(std::move(config)), runner_(std::move(runner)), only_plans_(only_plans) {}

  /// Returns the node's id. The node's record types are the factory's.
  std::uint32_t add_operator(graph::stream_node node, operator_factory_ptr factory);
  /// An operator that reads all of `parts`. Returns its node's id.
  std::uint32_t add_reader(const std::vector<stream_part>& parts, std::string kind,
                           operator_factory_ptr factory, bool is_sink);
  /// What commits in the same task what `writer` has written.
  std::uint32_t add_committer(std::uint32_t writer, operator_factory_ptr factory, bool is_last);
  /// `input` is the target's logical input.
  void connect(const stream_part& from, std::uint32_t to, std::uint32_t input = 0,
               bool is_feedback = false);
  /// The head of an iteration over `parts`, which are its input 0; input 1 is for the feedback.
  std::uint32_t add_iteration_head(const std::vector<stream_part>& parts,
                                   operator_factory_ptr factory);
  /// Leads `parts` back to a head. Throws `failure(invalid_graph)` if others do already.
  void close_iteration(std::uint32_t head, const std::vector<stream_part>& parts);
  /// The job reads a side output of the node.
  void add_side_output(std::uint32_t node, const std::string& tag, const record_type& type);
  /// Throws `failure(invalid_graph)` naming the source unless all that leads to `parts` ends by
  /// itself.
  void require_bounded(const std::vector<stream_part>& parts) const;
  /// The operator waits for the others of a watermark alignment group.
  void add_to_alignment_group(std::uint32_t node, const std::string& group);
  graph::stream_node& node(std::uint32_t id) { return graph_.node(id); }

  configuration& config() noexcept { return config_; }
  void set_job_name(std::string name) { job_name_ = std::move(name); }
  void set_parallelism(std::uint32_t parallelism) { parallelism_ = parallelism; }
  void set_max_parallelism(std::uint32_t max) { max_parallelism_ = max; }
  void set_runtime_mode(graph::runtime_mode mode) { mode_ = mode; }
  void disable_operator_chaining() { chaining_ = false; }
  /// A setting that travels with the job. Throws `failure` if it is not valid.
  void set(std::string key, std::string value);

  /// The plan of all operators that were added since the last one that was submitted, and of what
  /// feeds them. `defaults` decides where neither the job nor the configuration does.
  result<job_plan> plan(graph::job_defaults defaults) const;

  /// Plans and submits. Throws `failure`.
  std::unique_ptr<job_client> submit(std::string job_name);

 private:
  job_program program_since_last_run() const;
  void apply_settings(graph::job_defaults& defaults) const;

  graph::stream_graph graph_;
  std::vector<operator_factory_ptr> operators_;
  std::vector<router_factory_ptr> routers_;
  std::uint32_t first_unplanned_ = 0;  // nodes before this one have run

  configuration config_;
  std::vector<std::pair<std::string, std::string>> job_configuration_;
  std::string job_name_;
  std::optional<std::uint32_t> parallelism_;
  std::optional<std::uint32_t> max_parallelism_;
  std::optional<graph::runtime_mode> mode_;
  bool chaining_ = true;

  std::shared_ptr<job_runner> runner_;
  bool only_plans_;
};

/// Waits for the end. Throws the `failure` of a job that did not finish.
job_execution_result wait_for_result(job_client& client);

/// The same, but cancels the job and returns once `is_enough()`.
void wait_until(job_client& client, const std::function<bool()>& is_enough);

}  // namespace millrace::detail
