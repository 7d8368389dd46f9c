// A job that runs until it is cancelled, or for --count records, and counts them by a metric and by
// an accumulator.

#include <cstdint>

#include "millrace/millrace.hpp"

namespace {

struct twice : millrace::rich_function {
  millrace::counter* doubled = nullptr;
  std::int64_t* total = nullptr;

  void open(millrace::runtime_context& self) override {
    doubled = &self.metric("doubled");
    total = &self.sum_accumulator("doubled in all");
  }
  std::uint64_t operator()(const std::uint64_t& number) {
    doubled->add(1);
    ++*total;
    return number * 2;
  }
};

}  // namespace

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"count", "rate", "name"});
  millrace::generator_options options{.count = {}, .per_second = args.get_or("rate", 1000.0)};
  if (args.has("count")) options.count = args.get<std::uint64_t>("count");
  env.set_job_name(args.get_or("name", "generator"));
  env.from_generator([](std::uint64_t index) { return index; }, options)
      .name("numbers")
      .rebalance()
      .map(twice{})
      .name("double")
      .discard()
      .name("nowhere");
}
