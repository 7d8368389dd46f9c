#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// What decides where an operator does not. Parallelism: the operator's, else the environment's,
/// else that of the command line, else the configured one.
struct job_defaults {
  std::string job_name;
  std::optional<std::uint32_t> environment_parallelism;   ///< `env.set_parallelism(n)`
  std::optional<std::uint32_t> command_line_parallelism;  ///< `-p n`
  std::uint32_t parallelism = 1;                          ///< `parallelism.default`
  std::optional<std::uint32_t> max_parallelism;           ///< Of the environment; derived if empty.
  bool chaining = true;                                   ///< `pipeline.operator-chaining.enabled`
  runtime_mode mode = runtime_mode::streaming;            ///< `execution.runtime-mode`
  std::vector<std::pair<std::string, std::string>> configuration;  ///< Copied to the job graph.
  std::vector<std::string> arguments;                              ///< Copied to the job graph.
  std::string artifact;                                            ///< Copied to the job graph.
};

/// Validates the graph, resolves every default, and fuses operators into chains as Flink's
/// StreamingJobGraphGenerator does. Errors (`errc::invalid_graph`, `errc::type_mismatch`) name the
/// operators concerned.
result<job_graph> build_job_graph(const stream_graph& graph, const job_defaults& defaults);

/// The number of key groups of an operator that asks for none: 1.5 times its parallelism, rounded
/// up to a power of two, but at least 128 and at most `max_parallelism_limit` (Flink's
/// KeyGroupRangeAssignment#computeDefaultMaxParallelism).
std::uint32_t default_max_parallelism(std::uint32_t parallelism) noexcept;

}  // namespace millrace::graph
