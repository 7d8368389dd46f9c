// error: process of a keyed stream beside a broadcast stream needs a function as

#include "millrace/millrace.hpp"

using namespace millrace;

struct check : keyed_broadcast_process_function<std::string, std::int64_t, std::int64_t, int> {
  void process_element(const std::int64_t&, keyed_broadcast_read_only_context<std::string>&,
                       collector<int>&) override {}
  void process_broadcast_element(const std::int64_t&, keyed_broadcast_context<std::string>&,
                                 collector<int>&) override {}
};

void build(stream_environment& env, const arguments&) {
  const map_state_descriptor<std::int64_t, std::int64_t> rules("rules");
  const auto numbers = env.from_sequence(1, 10);
  numbers.key_by([](const std::int64_t& n) { return n; })
      .connect(numbers.broadcast(rules))
      .process(check{})
      .print();
}
