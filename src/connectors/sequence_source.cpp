#include "millrace/connectors/sequence_source.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "millrace/connectors/indexed_source.hpp"

namespace millrace {

namespace {

struct number_maker {
  void open(operator_context&) {}
  void fill(row_vector<std::int64_t>& rows, std::uint64_t index, std::uint64_t stride,
            std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i, index += stride)
      rows.push_back(static_cast<std::int64_t>(index));
  }
  void finish() {}
  void close() noexcept {}
};

std::vector<index_split> parts_of(std::int64_t first, std::int64_t last,
                                  std::uint32_t parallelism) {
  if (last < first) return {};
  // All of int64 is 2^64 numbers: one more than a split can count, so that it has two at least.
  __extension__ using wide = unsigned __int128;
  const auto begin = static_cast<std::uint64_t>(first);
  const wide numbers = wide{static_cast<std::uint64_t>(last) - begin} + 1;
  const wide parts = numbers >> 64 != 0 ? std::max(parallelism, 2u) : parallelism;
  std::vector<index_split> splits;
  for (wide n = 0; n < parts; ++n) {
    const wide from = numbers * n / parts, to = numbers * (n + 1) / parts;
    splits.push_back(
        {begin + static_cast<std::uint64_t>(from), 1, static_cast<std::uint64_t>(to - from), 0});
  }
  return splits;
}

}  // namespace

std::shared_ptr<const source_base<std::int64_t>> make_sequence(std::int64_t first,
                                                               std::int64_t last) {
  using sequence = indexed_source<std::int64_t, number_maker>;
  return std::make_shared<sequence>(number_maker{},
                                    indices_description{.splits = [first, last](std::uint32_t p) {
                                      return parts_of(first, last, p);
                                    }});
}

}  // namespace millrace
