// error: reduce needs a function that takes two `const T&` and returns a T

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10)
      .key_by([](std::int64_t number) { return number % 2; })
      .reduce([](std::int64_t number) { return number; })
      .print();
}
