#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "millrace/connectors/indexed_source.hpp"

namespace millrace {

/// Copies the elements of a collection that is part of the job.
template <class T>
class element_maker {
 public:
  /// Copies of the maker share the elements.
  explicit element_maker(row_vector<T> elements)
      : elements_(std::make_shared<const row_vector<T>>(std::move(elements))) {}

  /// Number of elements.
  std::uint64_t size() const noexcept { return elements_->size(); }
  /// Nothing to open.
  void open(operator_context&) {}
  /// Appends copies of `count` elements from `index` on. They follow each other, whatever the
  /// stride.
  void fill(row_vector<T>& rows, std::uint64_t index, std::uint64_t, std::uint64_t count) {
    const auto from = elements_->begin() + static_cast<std::ptrdiff_t>(index);
    rows.insert(rows.end(), from, from + static_cast<std::ptrdiff_t>(count));
  }
  /// Nothing to finish.
  void finish() {}
  /// Nothing to release.
  void close() noexcept {}

 private:
  std::shared_ptr<const row_vector<T>> elements_;  // of all subtasks
};

/// The elements of a collection, in order. Not parallel.
template <class T>
std::shared_ptr<const source_base<T>> make_collection(row_vector<T> elements) {
  using collection = indexed_source<T, element_maker<T>>;
  element_maker<T> maker(std::move(elements));
  const auto size = maker.size();
  return std::make_shared<collection>(
      std::move(maker), indices_description{.splits =
                                                [size](std::uint32_t) {
                                                  return std::vector<index_split>{{0, 1, size, 0}};
                                                },
                                            .is_parallel = false});
}

}  // namespace millrace
