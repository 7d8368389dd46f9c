#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "millrace/millrace.hpp"

namespace millrace::test {

/// Takes the job instead of running it: what it consists of, to be run by whoever has it.
struct captured_job final : job_runner {
  result<std::unique_ptr<job_client>> submit(
      graph::job_graph made, std::shared_ptr<const job_program> its_program) override {
    graph = std::move(made);
    program = std::move(its_program);
    return std::make_unique<nobody>();
  }

  struct nobody final : job_client {
    job_id id() const override { return {}; }
    graph::job_status status() override { return graph::job_status::created; }
    job_progress progress() override { return {}; }
    void cancel() override {}
    result<job_execution_result> wait() override { return job_execution_result{}; }
    std::optional<result<job_execution_result>> wait_for(std::chrono::milliseconds) override {
      return job_execution_result{};
    }
  };

  graph::job_graph graph;
  std::shared_ptr<const job_program> program;
};

}  // namespace millrace::test
