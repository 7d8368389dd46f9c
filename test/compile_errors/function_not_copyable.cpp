// error: this function can't be copied

#include <memory>

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10)
      .map([held = std::make_unique<int>(1)](std::int64_t number) { return number + *held; })
      .print();
}
