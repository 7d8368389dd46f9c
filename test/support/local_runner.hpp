#pragma once

#include "millrace/api/job_runner.hpp"
#include "support/local_pipeline.hpp"
#include "support/memory_files.hpp"

namespace millrace::test {

/// Runs jobs in a local_pipeline. A job makes progress while somebody waits for it.
class local_runner final : public job_runner {
 public:
  explicit local_runner(pipeline_settings settings = {}) : settings_(settings) {}

  result<std::unique_ptr<job_client>> submit(graph::job_graph graph,
                                             std::shared_ptr<const job_program> program) override;

  memory_files& files() { return *files_; }
  const graph::job_graph& last_graph() const { return last_graph_; }

 private:
  pipeline_settings settings_;
  std::shared_ptr<memory_files> files_ = std::make_shared<memory_files>();
  graph::job_graph last_graph_;
};

}  // namespace millrace::test
