// error: map needs a function that takes `const T&` and returns a value

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).map([](const std::string& text) { return text + "!"; }).print();
}
