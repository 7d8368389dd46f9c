// error: this type can't be a record

#include "millrace/millrace.hpp"

struct shape {
  virtual ~shape() = default;
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).map([](std::int64_t) { return shape{}; }).discard();
}
