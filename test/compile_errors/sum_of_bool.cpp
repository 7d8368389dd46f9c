// error: sum needs a pointer to a member of the record that is a number

#include "millrace/millrace.hpp"

struct row {
  int key;
  bool flag;
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_elements<row>({{1, true}}).key_by(&row::key).sum(&row::flag).print();
}
