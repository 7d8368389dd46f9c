// A job that runs until it is cancelled, or for --count records.

#include <cstdint>

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"count", "rate", "name"});
  millrace::generator_options options{.count = {}, .per_second = args.get_or("rate", 1000.0)};
  if (args.has("count")) options.count = args.get<std::uint64_t>("count");
  env.set_job_name(args.get_or("name", "generator"));
  env.from_generator([](std::uint64_t index) { return index; }, options)
      .name("numbers")
      .rebalance()
      .map([](const std::uint64_t& index) { return index * 2; })
      .name("double")
      .discard()
      .name("nowhere");
}
