#pragma once

#include <cstdint>

#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// The numbers first..last, both included. Each subtask emits a contiguous part, in order (Flink's
/// NumberSequenceSource). Empty if last < first.
class sequence_source final : public producing<std::int64_t, source_operator> {
 public:
  sequence_source(std::int64_t first, std::int64_t last) : first_(first), last_(last) {}

  void open(operator_context& context) override;
  poll_status poll() override;
  source_progress progress() const noexcept override { return {done_, total_}; }

 private:
  std::int64_t first_;
  std::int64_t last_;
  std::uint64_t next_ = 0;  // as bits: wraps where int64 would overflow
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

std::shared_ptr<const operator_factory> make_sequence_source(std::int64_t first, std::int64_t last);

}  // namespace millrace
