#include "support/local_runner.hpp"

#include "millrace/stream/operator_failure.hpp"

namespace millrace::test {

namespace {

class local_client final : public job_client {
 public:
  local_client(graph::job_graph graph, std::shared_ptr<const job_program> program,
               std::shared_ptr<memory_files> files, pipeline_settings settings)
      : files_(std::move(files)),
        name_(graph.name),
        pipeline_(std::move(graph), std::move(program), *files_, settings),
        began_(pipeline_.time().now()) {}

  job_id id() const override { return {1, 1}; }
  graph::job_status status() override {
    if (!result_) return graph::job_status::running;
    return *result_ ? graph::job_status::finished : graph::job_status::failed;
  }
  job_progress progress() override {
    job_progress now;
    now.status = status();
    return now;
  }
  void cancel() override {
    if (!result_) result_ = fail(errc::cancelled, "the job was cancelled");
  }
  result<job_execution_result> wait() override {
    while (!run_some()) {
    }
    return *result_;
  }
  std::optional<result<job_execution_result>> wait_for(std::chrono::milliseconds) override {
    if (!run_some()) return std::nullopt;
    return result_;
  }

 private:
  bool run_some() {
    if (result_) return true;
    try {
      if (pipeline_.run_some(1000))
        result_ = job_execution_result{
            {1, 1},
            name_,
            std::chrono::duration_cast<std::chrono::milliseconds>(pipeline_.time().now() - began_),
            pipeline_.accumulators()};
    } catch (const operator_failure& e) {
      result_ = fail(e.code(), "operator '" + e.operator_name() + "': " + e.what());
    } catch (const failure& e) {
      result_ = tl::unexpected(e.what_failed());
    }
    return result_.has_value();
  }

  std::shared_ptr<memory_files> files_;
  std::string name_;
  local_pipeline pipeline_;
  std::chrono::steady_clock::time_point began_;
  std::optional<result<job_execution_result>> result_;
};

}  // namespace

result<std::unique_ptr<job_client>> local_runner::submit(
    graph::job_graph graph, std::shared_ptr<const job_program> program) {
  last_graph_ = graph;
  return std::make_unique<local_client>(std::move(graph), std::move(program), files_, settings_);
}

}  // namespace millrace::test
