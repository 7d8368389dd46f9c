#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "millrace/stream/operator.hpp"
#include "support/manual_io.hpp"
#include "support/memory_files.hpp"
#include "support/virtual_clock.hpp"

namespace millrace::test {

/// One operator on its own: its world, and what it emits.
template <class In, class Out>
class operator_harness final : public operator_context, private batch_consumer {
 public:
  explicit operator_harness(const std::shared_ptr<const operator_factory>& factory,
                            runtime_context::identity self = {})
      : runtime_(std::move(self)), op_(factory->create()) {
    out_.add(*this);
    op_->bind_output(out_, {.rows = 8, .bytes = 4096});
  }
  ~operator_harness() override { op_->close(); }

  void open() { op_->open(*this); }
  void process(std::vector<In> rows, rows_access access = rows_access::exclusive) {
    typed_batch_ptr<In> in(new typed_batch<In>);
    in->rows.assign(rows.begin(), rows.end());
    op_->process(0, *in, access);
    if (access == rows_access::shared)
      CHECK(std::equal(rows.begin(), rows.end(), in->rows.begin(), in->rows.end()));
  }
  /// Polls a source until it has nothing to say, with or without its I/O.
  poll_status poll_all(bool runs_io = true) {
    for (;;) {
      const auto how = source().poll();
      if (how == poll_status::finished) return how;
      if (how == poll_status::idle) {
        if (!runs_io || io_.is_empty()) return how;
        io_.run();
      }
    }
  }
  void finish() {
    op_->end_input(0);
    while (!op_->finish()) {
    }
  }
  void close() { op_->close(); }

  source_operator& source() { return dynamic_cast<source_operator&>(*op_); }
  stream_operator& op() { return *op_; }
  std::vector<Out> take() { return std::exchange(emitted_, {}); }
  manual_io& manual() { return io_; }
  memory_files& memory() { return files_; }
  virtual_clock& clock_now() { return clock_; }
  std::chrono::steady_clock::time_point woken_at() const { return wake_; }

  runtime_context& runtime() noexcept override { return runtime_; }
  io_executor& io() noexcept override { return io_; }
  file_system& files() noexcept override { return files_; }
  const clock& time() const noexcept override { return clock_; }
  void wake_at(std::chrono::steady_clock::time_point when) override { wake_ = when; }

 private:
  void consume(batch& rows, rows_access) override {
    const auto& typed = rows_of<Out>(rows);
    emitted_.insert(emitted_.end(), typed.begin(), typed.end());
  }

  runtime_context runtime_;
  manual_io io_;
  memory_files files_;
  virtual_clock clock_;
  std::chrono::steady_clock::time_point wake_{};
  output out_;
  std::unique_ptr<stream_operator> op_;
  std::vector<Out> emitted_;
};

}  // namespace millrace::test
