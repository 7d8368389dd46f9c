// error: from_elements needs elements of one type
// error: from_generator needs a function that takes a std::uint64_t
// error: add_source needs a function that takes a `collector<T>&`

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_elements(1, std::string("two"));
  env.from_generator([](const std::string& index) { return index; });
  env.add_source([] { return 1; });
}
