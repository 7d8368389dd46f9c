#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "millrace/api/data_stream.hpp"

namespace millrace::test {

/// What the subtasks of a probe have seen. Not synchronised: for jobs that run in one thread.
struct time_log {
  std::size_t late = 0;        ///< Records that are not beyond the watermark.
  std::size_t untimed = 0;     ///< Records without a timestamp.
  std::size_t watermarks = 0;  ///< But the end of time.
  std::size_t ends = 0;
  timestamp_ms greatest_while_running = no_timestamp;
};

/// Passes everything on and notes how records and watermarks fit.
template <class T>
class time_probe final : public producing<T> {
 public:
  explicit time_probe(std::shared_ptr<time_log> log) : log_(std::move(log)) {}

  void process(std::size_t, batch& rows, rows_access access) override {
    const auto& typed = static_cast<typed_batch<T>&>(rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (typed.timestamp_of(i) == no_timestamp)
        ++log_->untimed;
      else if (typed.timestamp_of(i) <= watermark_)
        ++log_->late;
    }
    this->out_.target().push(rows, access);
  }

  void on_watermark(timestamp_ms at) override {
    CHECK(at > watermark_);
    watermark_ = at;
    if (at == max_watermark) {
      ++log_->ends;
    } else {
      ++log_->watermarks;
      log_->greatest_while_running = std::max(log_->greatest_while_running, at);
    }
    producing<T>::on_watermark(at);
  }

 private:
  std::shared_ptr<time_log> log_;
  timestamp_ms watermark_ = no_timestamp;
};

namespace detail {

/// Opens the way to operators that the API has no verb for.
template <class T>
struct opened_stream : data_stream<T> {
  explicit opened_stream(const data_stream<T>& stream) : data_stream<T>(stream) {}
  using data_stream<T>::transform;
};

}  // namespace detail

/// The stream behind a probe.
template <class T>
single_output<T> probed(const data_stream<T>& stream, std::shared_ptr<time_log> log) {
  auto factory =
      make_factory<T, T>([log = std::move(log)] { return std::make_unique<time_probe<T>>(log); });
  return detail::opened_stream<T>(stream).template transform<T>("probe", std::move(factory));
}

}  // namespace millrace::test
