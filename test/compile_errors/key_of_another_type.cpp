// error: key_by needs functions that take `const T&` and return the key, or pointers to members

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).key_by([](const std::string& text) { return text; }).sum().print();
}
