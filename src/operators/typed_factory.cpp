#include "millrace/operators/typed_factory.hpp"

namespace millrace::detail {

const record_type* described_factory::input_type(std::size_t input) const noexcept {
  return input < inputs_.size() ? inputs_[input] : nullptr;
}

const record_type* described_factory::output_type() const noexcept {
  return output_;
}

}  // namespace millrace::detail
