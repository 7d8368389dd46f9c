// error: flat_map needs a function that takes `const T&` and `collector<U>&`; if it is generic

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).flat_map([](auto number, auto& out) { out.emit(number); }).print();
}
