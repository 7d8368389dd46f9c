// error: this type can't be a key

#include "millrace/millrace.hpp"

struct row {
  std::map<int, int> tree;
  int value;
};

void build(millrace::stream_environment& env, const millrace::arguments&) {
  env.from_elements<row>({{{}, 1}}).key_by(&row::tree).sum(&row::value).print();
}
