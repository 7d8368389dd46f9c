#include "millrace/api/job_builder.hpp"

#include <algorithm>

#include "millrace/core/options.hpp"
#include "millrace/graph/boundedness.hpp"
#include "millrace/graph/slot_sharing.hpp"

namespace millrace::detail {

namespace {

graph::record_type describe(const record_type& type) {
  return {std::string(type.description()), type.fingerprint()};
}

/// The nodes from `first` on and, of those before, the ones whose records they need.
std::vector<bool> with_all_that_feeds(const graph::stream_graph& graph, std::uint32_t first) {
  std::vector<bool> wanted(graph.nodes().size(), false);
  for (auto id = first; id < wanted.size(); ++id) wanted[id] = true;
  // Streams only lead to operators that are added after them, so that one pass from the back is
  // enough, save where records are fed back.
  bool goes_back = true;
  while (std::exchange(goes_back, false)) {
    for (auto edge = graph.edges().rbegin(); edge != graph.edges().rend(); ++edge) {
      if (!wanted[edge->target] || wanted[edge->source]) continue;
      wanted[edge->source] = true;
      goes_back |= edge->is_feedback;
    }
  }
  return wanted;
}

}  // namespace

std::vector<stream_part> partitioned(std::vector<stream_part> parts, graph::partitioning how,
                                     const router_factory_ptr& router) {
  for (auto& part : parts) {
    part.partitioning = how;
    part.is_explicit = true;
    part.router = router;
  }
  return parts;
}

std::uint32_t job_builder::add_operator(graph::stream_node node, operator_factory_ptr factory) {
  if (node.name.empty()) node.name = node.kind;
  for (std::size_t i = 0; const auto* type = factory->input_type(i); ++i)
    node.inputs.push_back(describe(*type));
  if (const auto* type = factory->output_type()) node.output = describe(*type);
  node.has_coordinator = factory->has_coordinator();
  node.commits = factory->commits();
  operators_.push_back(std::move(factory));
  return graph_.add_node(std::move(node));
}

std::uint32_t job_builder::add_reader(const std::vector<stream_part>& parts, std::string kind,
                                      operator_factory_ptr factory, bool is_sink) {
  graph::stream_node node;
  node.kind = std::move(kind);
  node.is_sink = is_sink;
  const auto id = add_operator(std::move(node), std::move(factory));
  for (const auto& part : parts) connect(part, id);
  return id;
}

std::uint32_t job_builder::add_committer(std::uint32_t writer, operator_factory_ptr factory,
                                         bool is_last) {
  // No router: nothing is ever exchanged between the two.
  const stream_part from{writer, graph::partitioning::forward, false, nullptr};
  const auto id = add_reader({from}, "committer", std::move(factory), is_last);
  graph_.node(id).chaining = graph::chaining::with_input;
  return id;
}

void job_builder::add_to_alignment_group(std::uint32_t node, const std::string& group) {
  graph_.node(node).alignment_group = group;
  graph_.node(node).chaining = graph::chaining::with_input;
}

void job_builder::add_side_output(std::uint32_t node, const std::string& tag,
                                  const record_type& type) {
  graph::side_output side{tag, describe(type)};
  auto& known = graph_.node(node).side_outputs;
  if (std::find(known.begin(), known.end(), side) == known.end()) known.push_back(std::move(side));
}

void job_builder::connect(const stream_part& from, std::uint32_t to, std::uint32_t input,
                          bool is_feedback) {
  graph::stream_edge edge;
  edge.source = from.node;
  edge.target = to;
  edge.target_input = input;
  edge.side_output = from.side_output;
  edge.partitioning = from.partitioning;
  edge.is_explicit = from.is_explicit;
  edge.is_feedback = is_feedback;
  graph_.add_edge(edge);
  routers_.push_back(from.router);
}

std::uint32_t job_builder::add_iteration_head(const std::vector<stream_part>& parts,
                                              operator_factory_ptr factory) {
  graph::stream_node node;
  node.kind = "iterate";
  node.is_iteration_head = true;
  const auto id = add_operator(std::move(node), std::move(factory));
  for (const auto& part : parts) connect(part, id);
  return id;
}

void job_builder::close_iteration(std::uint32_t head, const std::vector<stream_part>& parts) {
  const auto leads_back = [&](const graph::stream_edge& e) {
    return e.is_feedback && e.target == head;
  };
  if (std::ranges::any_of(graph_.edges(), leads_back))
    throw failure(errc::invalid_graph, "iteration '" + graph_.node(head).name +
                                           "' was closed before: to feed several streams back, "
                                           "close it once with their union");
  for (const auto& part : parts) connect(part, head, 1, true);
}

void job_builder::require_bounded(const std::vector<stream_part>& parts) const {
  for (const auto& part : parts) {
    const auto* endless = graph::unbounded_source_of(graph_, part.node);
    if (endless == nullptr) continue;
    const auto& last = graph_.node(part.node);
    throw failure(errc::invalid_graph,
                  "a stream that ends is needed here, but source '" + endless->name +
                      "', which feeds '" + last.name +
                      "', is unbounded: use windows, or a source that is bounded");
  }
}

void job_builder::set(std::string key, std::string value) {
  if (auto valid = config_.set(key, value, "the job's settings"); !valid)
    throw failure(valid.error());
  std::erase_if(job_configuration_, [&](const auto& setting) { return setting.first == key; });
  job_configuration_.emplace_back(std::move(key), std::move(value));
}

job_program job_builder::program_since_last_run() const {
  const auto wanted = with_all_that_feeds(graph_, first_unplanned_);
  std::vector<std::uint32_t> new_id(wanted.size(), 0);
  job_program program;
  for (const auto& node : graph_.nodes()) {
    if (!wanted[node.id]) continue;
    new_id[node.id] = program.graph.add_node(node);
    program.operators.push_back(operators_[node.id]);
  }
  for (auto edge : graph_.edges()) {
    if (!wanted[edge.target]) continue;
    program.routers.push_back(routers_[edge.id]);
    edge.source = new_id[edge.source];
    edge.target = new_id[edge.target];
    program.graph.add_edge(edge);
  }
  return program;
}

void job_builder::apply_settings(graph::job_defaults& defaults) const {
  defaults.parallelism = config_.get(options::parallelism_default);
  defaults.chaining = chaining_ && config_.get(options::operator_chaining);
  defaults.mode = mode_.value_or(graph::parse_runtime_mode(config_.get(options::runtime_mode))
                                     .value_or(graph::runtime_mode::streaming));
  if (parallelism_) defaults.environment_parallelism = parallelism_;
  if (max_parallelism_)
    defaults.max_parallelism = max_parallelism_;
  else if (const auto max = config_.get(options::max_parallelism); max != 0)
    defaults.max_parallelism = max;
  if (!job_name_.empty()) defaults.job_name = job_name_;
  for (const auto& setting : job_configuration_) defaults.configuration.push_back(setting);
}

result<job_plan> job_builder::plan(graph::job_defaults defaults) const {
  if (auto good = options::check(config_); !good) return tl::unexpected(good.error());
  apply_settings(defaults);
  auto program = std::make_shared<job_program>(program_since_last_run());
  auto graph = graph::build_job_graph(program->graph, defaults);
  if (!graph) return tl::unexpected(graph.error());
  return job_plan{*std::move(graph), std::move(program)};
}

std::unique_ptr<job_client> job_builder::submit(std::string job_name) {
  if (only_plans_)
    throw failure(errc::invalid_argument,
                  "build() only describes the job: whoever runs it executes it, so leave out "
                  "execute(), execute_async() and execute_and_collect()");
  if (!job_name.empty()) job_name_ = std::move(job_name);
  graph::job_defaults defaults;
  defaults.job_name = "Millrace job";
  auto planned = plan(std::move(defaults));
  if (!planned) throw failure(planned.error());
  auto runner = runner_;
  if (!runner) {
    auto embedded = make_embedded_runner(config_, graph::slots_needed(planned->graph));
    if (!embedded) throw failure(embedded.error());
    runner = *std::move(embedded);
  }
  auto client = runner->submit(std::move(planned->graph), std::move(planned->program));
  if (!client) throw failure(client.error());
  first_unplanned_ = static_cast<std::uint32_t>(graph_.nodes().size());
  return *std::move(client);
}

job_execution_result wait_for_result(job_client& client) {
  auto result = client.wait();
  if (!result) throw failure(result.error());
  return *std::move(result);
}

void wait_until(job_client& client, const std::function<bool()>& is_enough) {
  constexpr std::chrono::milliseconds between_looks(10);
  while (!is_enough()) {
    if (auto ended = client.wait_for(between_looks)) {
      if (!*ended) throw failure(ended->error());
      return;
    }
  }
  client.cancel();
  static_cast<void>(client.wait());  // we have what we came for, however it ends
}

}  // namespace millrace::detail
