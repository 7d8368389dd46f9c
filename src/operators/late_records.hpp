#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "millrace/operators/side_outputs.hpp"

namespace millrace {

/// The accumulator of a job's result that counts records which came too late and had nowhere to go.
/// It is there only if there were any.
inline constexpr const char* late_records_accumulator = "late records dropped";

/// How many records a row stands for.
template <class T>
std::int64_t records_in(const T&) noexcept {
  return 1;
}

/// Where the late records of an operator go: to a side output if there is one and the job reads it.
/// Else they are counted for the job's result and for `millrace describe` (as Flink's
/// numLateRecordsDropped), never dropped in silence.
template <class T>
class late_records {
 public:
  /// With `tag` they go to that side output.
  explicit late_records(std::optional<output_tag<T>> tag = {}) : tag_(std::move(tag)) {}

  /// Before the first record. Both outlive this.
  void open(operator_context& context, side_outputs& side) {
    runtime_ = &context.runtime();
    if (tag_ && side.is_read(*tag_)) side_ = &side;
  }

  /// A record that came too late, with its timestamp. Out of line, as there are few.
  [[gnu::noinline]] void add(const T& row, timestamp_ms at) {
    if (side_ != nullptr) return side_->emit(*tag_, row, at);
    if (total_ == nullptr) {
      total_ = &runtime_->sum_accumulator(late_records_accumulator);
      metric_ = &runtime_->metric("numLateRecordsDropped");
    }
    const auto count = records_in(row);
    *total_ += count;
    metric_->add(static_cast<std::uint64_t>(count));
  }

 private:
  std::optional<output_tag<T>> tag_;
  side_outputs* side_ = nullptr;
  runtime_context* runtime_ = nullptr;
  std::int64_t* total_ = nullptr;
  counter* metric_ = nullptr;
};

}  // namespace millrace
