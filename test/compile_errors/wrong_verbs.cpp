// error: add_sink needs a function that takes `const T&`
// error: partition_custom needs a function that takes the key and the number of subtasks
// error: min, max, min_by and max_by need a pointer to a member of the record
// error: write_as_text needs records with an operator<<
// error: write_as_csv needs records whose fields can be printed

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

struct row {
  int key;
  opaque what;
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  const auto rows = env.from_sequence(1, 10).map([](std::int64_t) { return row{}; });
  rows.add_sink([](const std::string&) {});
  rows.partition_custom([](const std::string&, std::uint32_t) { return 0; }, &row::key);
  rows.key_by(&row::key).min(&row::what);
  rows.write_as_text("/tmp/text");
  rows.write_as_csv("/tmp/csv");
}
