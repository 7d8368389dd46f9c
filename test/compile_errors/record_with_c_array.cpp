// error: this type can't be a record

#include "millrace/millrace.hpp"

struct row {
  int values[3];
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).map([](std::int64_t) { return row{}; }).print();
}
