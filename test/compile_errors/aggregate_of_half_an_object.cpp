// error: aggregate needs an object with create_accumulator()

#include "millrace/millrace.hpp"

using namespace millrace;

struct counting {
  std::int64_t create_accumulator() const { return 0; }
  void add(std::int64_t& into, const std::int64_t&) const { ++into; }
};

void build(stream_environment& env, const arguments&) {
  as_bounded(env.from_sequence(1, 10))
      .group_by([](const std::int64_t& n) { return n; })
      .aggregate(counting{})
      .print();
}
