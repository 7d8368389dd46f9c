#include "millrace/api/stream_environment.hpp"

namespace millrace {

stream_environment::stream_environment(configuration config, std::shared_ptr<job_runner> runner)
    : stream_environment(
          std::make_shared<detail::job_builder>(std::move(config), std::move(runner), false)) {}

stream_environment::stream_environment(std::shared_ptr<detail::job_builder> builder)
    : builder_(std::move(builder)) {}

void stream_environment::set_job_name(std::string name) {
  builder_->set_job_name(std::move(name));
}

void stream_environment::set_parallelism(std::uint32_t parallelism) {
  builder_->set_parallelism(parallelism);
}

void stream_environment::set_max_parallelism(std::uint32_t max_parallelism) {
  builder_->set_max_parallelism(max_parallelism);
}

void stream_environment::set_runtime_mode(graph::runtime_mode mode) {
  builder_->set_runtime_mode(mode);
}

void stream_environment::disable_operator_chaining() {
  builder_->disable_operator_chaining();
}

void stream_environment::set(std::string key, std::string value) {
  builder_->set(std::move(key), std::move(value));
}

single_output<std::int64_t> stream_environment::from_sequence(std::int64_t first,
                                                              std::int64_t last) {
  return from_source(make_sequence(first, last), "from_sequence");
}

single_output<std::string> stream_environment::read_text_file(std::string path,
                                                              file_source_options options) {
  return from_source(make_text_files(std::move(path), options), "read_text_file");
}

single_output<std::string> stream_environment::socket_text_stream(std::string host,
                                                                  std::uint16_t port,
                                                                  socket_source_options options) {
  return from_source(make_text_socket(std::move(host), port, options), "socket_text_stream");
}

job_execution_result stream_environment::execute(std::string job_name) {
  const auto client = builder_->submit(std::move(job_name));
  return detail::wait_for_result(*client);
}

std::unique_ptr<job_client> stream_environment::execute_async(std::string job_name) {
  return builder_->submit(std::move(job_name));
}

void stream_environment::check(const generator_options& options) {
  if (options.per_second && !(*options.per_second > 0))
    throw failure(errc::invalid_argument,
                  "from_generator: the rate must be above 0 records per second, but is " +
                      std::to_string(*options.per_second));
}

}  // namespace millrace
