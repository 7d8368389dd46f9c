// error: union_with needs streams of the same record type

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).union_with(env.from_elements("a")).print();
}
