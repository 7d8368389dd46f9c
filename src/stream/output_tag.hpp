#pragma once

#include <string>
#include <utility>

#include "millrace/core/error.hpp"
#include "millrace/stream/record_type.hpp"

namespace millrace {

/// Names a side output of records of type `T` (Flink's OutputTag). Operators emit to it, and
/// `single_output<>::side_output(tag)` is the stream of what they emit. Tags are equal if their
/// names are; within one operator a name stands for one type.
template <class T>
class output_tag {
 public:
  /// The type of the records.
  using value_type = T;

  /// Throws `failure(invalid_argument)` if `name` is empty.
  explicit output_tag(std::string name) : name_(std::move(name)) {
    static_cast<void>(check_record<T>());
    if (name_.empty())
      throw failure(errc::invalid_argument,
                    "an output tag needs a name: the side output is found by it");
  }

  /// What operators and readers find the side output by.
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

}  // namespace millrace
