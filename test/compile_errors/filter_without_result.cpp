// error: filter needs a function that takes `const T&` and returns a bool

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).filter([](std::int64_t) {}).print();
}
