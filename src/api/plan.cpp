#include "millrace/api/plan.hpp"

namespace millrace {

/// Makes the environment of a `build` function.
struct planning_environment {
  static stream_environment make(std::shared_ptr<detail::job_builder> builder) {
    return stream_environment(std::move(builder));
  }
};

result<job_plan> make_plan(const std::function<void(stream_environment&, const arguments&)>& build,
                           const arguments& args, const configuration& config,
                           graph::job_defaults defaults) {
  const auto builder = std::make_shared<detail::job_builder>(config, nullptr, true);
  try {
    auto env = planning_environment::make(builder);
    build(env, args);
  } catch (const std::exception& e) {
    return fail(errc::build_function, std::string("the job's build function failed: ") + e.what());
  } catch (...) {
    return fail(errc::build_function,
                "the job's build function threw something that is no std::exception");
  }
  if (defaults.job_name.empty()) defaults.job_name = "Millrace job";
  if (defaults.arguments.empty()) defaults.arguments = args.all();
  return builder->plan(std::move(defaults));
}

}  // namespace millrace
