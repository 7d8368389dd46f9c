#include "millrace/connectors/generator_source.hpp"

namespace millrace {

std::vector<index_split> strides_of(std::optional<std::uint64_t> count, std::uint32_t parallelism) {
  std::vector<index_split> splits(parallelism);
  for (std::uint32_t n = 0; n < parallelism; ++n) {
    splits[n].first = n;
    splits[n].stride = parallelism;
    if (count) splits[n].count = *count / parallelism + (n < *count % parallelism ? 1 : 0);
  }
  return splits;
}

}  // namespace millrace
