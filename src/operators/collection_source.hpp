#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// The elements of a collection that is part of the job, in order. Not parallel.
template <class T>
class collection_source final : public producing<T, source_operator> {
 public:
  explicit collection_source(std::shared_ptr<const row_vector<T>> elements)
      : elements_(std::move(elements)) {}

  poll_status poll() override {
    const auto end = std::min(next_ + this->out_.room(), elements_->size());
    auto& rows = this->out_.rows();
    rows.insert(rows.end(), elements_->begin() + static_cast<std::ptrdiff_t>(next_),
                elements_->begin() + static_cast<std::ptrdiff_t>(end));
    next_ = end;
    this->out_.flush();
    return next_ == elements_->size() ? poll_status::finished : poll_status::more;
  }

  source_progress progress() const noexcept override { return {next_, elements_->size()}; }

 private:
  std::shared_ptr<const row_vector<T>> elements_;
  std::size_t next_ = 0;
};

template <class T>
std::shared_ptr<const operator_factory> make_collection_source(row_vector<T> elements) {
  return make_factory<void, T>(
      [shared = std::make_shared<const row_vector<T>>(std::move(elements))] {
        return std::make_unique<collection_source<T>>(shared);
      });
}

}  // namespace millrace
