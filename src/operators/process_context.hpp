#pragma once

#include <type_traits>
#include <utility>

#include "millrace/operators/side_outputs.hpp"

namespace millrace {

/// What a process function learns about the record at hand, and its way to the side outputs
/// (Flink's ProcessFunction.Context). Valid during the call only.
class process_context {
 public:
  /// Of the record, or of the timer that fires; `no_timestamp` if the record has none.
  timestamp_ms timestamp() const noexcept { return timestamp_; }
  /// Event time: no earlier record is to come, unless late. Before the first watermark it is the
  /// smallest number, and `max_watermark` when the input has ended.
  timestamp_ms current_watermark() const noexcept { return watermark_; }
  /// The wall clock's time.
  timestamp_ms current_processing_time() const { return context_->time().wall_ms(); }

  /// Emits to a side output, with the timestamp of the record or timer at hand. Dropped if the job
  /// does not read that side output. Throws `failure(type_mismatch)` if it reads it as another
  /// type.
  template <class T>
  void output(const output_tag<T>& tag, std::type_identity_t<T> row) {
    side_->emit(tag, std::move(row), row_timestamp_);
  }

  // -- for operators ---------------------------------------------------------------------------

  process_context() = default;
  process_context(const process_context&) = delete;
  process_context& operator=(const process_context&) = delete;

  /// What the context is about, from now on.
  void open(operator_context& context, side_outputs& side) {
    context_ = &context;
    side_ = &side;
  }
  /// What current_watermark says.
  void set_watermark(timestamp_ms at) noexcept { watermark_ = at; }
  /// `of_rows` is what rows for side outputs get.
  void set_timestamp(timestamp_ms at, timestamp_ms of_rows) noexcept {
    timestamp_ = at;
    row_timestamp_ = of_rows;
  }

 private:
  operator_context* context_ = nullptr;
  side_outputs* side_ = nullptr;
  timestamp_ms timestamp_ = no_timestamp;
  timestamp_ms row_timestamp_ = no_timestamp;
  timestamp_ms watermark_ = no_timestamp;
};

}  // namespace millrace
