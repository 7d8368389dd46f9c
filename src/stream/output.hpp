#pragma once

#include <cstdint>
#include <vector>

#include "millrace/stream/batch.hpp"

namespace millrace {

/// How large batches become before they are handed on.
struct batch_limits {
  std::uint32_t rows = 4096;        ///< At most so many rows,
  std::uint32_t bytes = 64 * 1024;  ///< and handed on at the first row that reaches these bytes.
};

/// Takes batches: the next operator of a chain, or the router of an exchange.
class batch_consumer {
 public:
  virtual ~batch_consumer() = default;
  virtual void consume(batch& rows, rows_access access) = 0;
};

/// Where an operator's rows go: every chained successor and every exchange that leaves the task
/// from this operator. Owned by the chain, wired once before the task opens.
class output {
 public:
  void add(batch_consumer& consumer) { consumers_.push_back(&consumer); }

  /// One virtual call per consumer and batch. Only the last one may take the rows.
  void push(batch& rows, rows_access access) {
    if (consumers_.empty()) return;
    rows_out_ += rows.size();
    for (std::size_t i = 0; i + 1 < consumers_.size(); ++i)
      consumers_[i]->consume(rows, rows_access::shared);
    consumers_.back()->consume(rows, access);
  }

  /// Whether nobody listens, so that rows need not be made.
  bool is_empty() const noexcept { return consumers_.empty(); }
  std::uint64_t rows_out() const noexcept { return rows_out_; }

 private:
  std::vector<batch_consumer*> consumers_;
  std::uint64_t rows_out_ = 0;
};

}  // namespace millrace
