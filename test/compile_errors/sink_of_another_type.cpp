// error: sink_to needs a sink for records of this type

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).sink_to(millrace::file_sink<std::string>::for_lines("/tmp/lines"));
}
