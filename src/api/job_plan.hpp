#pragma once

#include <memory>

#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/job_program.hpp"

namespace millrace {

/// A job, ready to be submitted: what is sent, and the code that this process has for it.
struct job_plan {
  /// What is sent.
  graph::job_graph graph;
  /// Operators and routers, by node and edge of the graph.
  std::shared_ptr<const job_program> program;
};

}  // namespace millrace
