// error: a sink with a committable needs create_committer or create_global_committer

#include "millrace/millrace.hpp"

struct endless {
  using committable = int;
  std::unique_ptr<millrace::sink_writer<std::int64_t, int>> create_writer(
      millrace::sink_writer_context&) const;
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).sink_to(endless{});
}
