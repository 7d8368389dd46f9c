// error: open() of a function takes a `runtime_context&`; on a keyed stream it may take

#include "millrace/millrace.hpp"

using namespace millrace;

struct counting {
  void open(keyed_runtime_context<std::string>&) {}
  std::int64_t operator()(const std::int64_t& n) { return n; }
};

void build(stream_environment& env, const arguments&) {
  env.from_sequence(1, 10).key_by([](const std::int64_t& n) { return n; }).map(counting{}).print();
}
