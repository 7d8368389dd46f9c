// error: print needs records with an operator<<

#include "millrace/millrace.hpp"

class opaque {
  int hidden = 0;
};

template <>
struct millrace::codec<opaque> {
  static constexpr std::string_view type_name = "opaque";
  static constexpr std::size_t min_size = 0;
  static void write(byte_writer&, const opaque&) {}
  static bool read(byte_reader&, opaque&) { return true; }
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_sequence(1, 10).map([](std::int64_t) { return opaque{}; }).print();
}
