#pragma once

#include <concepts>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/api/connected_streams.hpp"
#include "millrace/operators/iteration_head.hpp"

namespace millrace {

/// A stream whose records may go around: those of the stream that it was made of, and those that
/// are fed back (Flink's IterativeStream). What is to be done with them, the body, is described as
/// for any stream; then `close_with` says which of its results go around again:
///
///     auto loop = numbers.iterate();
///     auto halved = loop.map([](std::int64_t n) { return n / 2; });
///     loop.close_with(halved.filter([](std::int64_t n) { return n > 1; }));
///     auto done = halved.filter([](std::int64_t n) { return n <= 1; });
///
/// A job whose sources end does so when no record is left in the loop: no time to wait for it has
/// to be guessed. docs/iterations.md tells of event time and timers in a loop.
template <class T>
class iterative_stream : public data_stream<T>, public operator_settings<iterative_stream<T>> {
 public:
  iterative_stream(std::shared_ptr<detail::job_builder> builder, std::uint32_t head)
      : data_stream<T>(builder, {data_stream<T>::unpartitioned(head)}),
        operator_settings<iterative_stream<T>>(builder, {{.node = head}}) {}

  /// Feeds `feedback`, which must be made from this stream, back into it; several streams as a
  /// union. To be called once. Returns `feedback`. Throws `failure(invalid_graph)` at the second
  /// call, `failure(invalid_argument)` if the stream is of another environment.
  template <class Stream>
  requires std::derived_from<Stream, data_stream<T>> Stream close_with(const Stream& feedback)
  const {
    close<T>(feedback);
    return feedback;
  }

 private:
  template <class, class>
  friend class connected_iterative_streams;

  template <class F>
  void close(const data_stream<F>& feedback) const {
    if (feedback.builder_ != this->builder_)
      throw failure(errc::invalid_argument,
                    "a stream of another environment can't be fed back: describe a job with one "
                    "stream_environment");
    this->builder_->close_iteration(this->parts_.front().node, feedback.parts_);
  }
};

/// A stream, and records of another type that are fed back to be worked on beside it (Flink's
/// ConnectedIterativeStreams):
///
///     auto loop = requests.iterate_with<credit>();
///     auto granted = loop.process(hand_out());  // process_element1(request), …2(credit)
///     loop.close_with(granted.side_output(returned));
///
/// By keys, with `key_by` for both.
template <class T, class F>
class connected_iterative_streams : public connected_streams<T, F> {
 public:
  connected_iterative_streams(iterative_stream<T> head, data_stream<F> feedback)
      : connected_streams<T, F>(head, feedback),
        head_(std::move(head)),
        feedback_(std::move(feedback)) {}

  /// The records from outside; has the settings of the iteration's head.
  const iterative_stream<T>& input() const noexcept { return head_; }
  /// The records that were fed back.
  const data_stream<F>& feedback() const noexcept { return feedback_; }

  /// As for iterative_stream.
  template <class Stream>
  requires std::derived_from<Stream, data_stream<F>> Stream close_with(const Stream& feedback)
  const {
    head_.template close<F>(feedback);
    return feedback;
  }

 private:
  template <class>
  friend class data_stream;

  iterative_stream<T> head_;
  data_stream<F> feedback_;
};

template <class T>
iterative_stream<T> data_stream<T>::iterate() const {
  return {builder_, builder_->add_iteration_head(parts_, make_iteration_head<T, T, false>())};
}

template <class T>
template <class F>
connected_iterative_streams<T, F> data_stream<T>::iterate_with() const {
  static_assert(check_record<F>());
  const auto head = builder_->add_iteration_head(parts_, make_iteration_head<T, F, true>());
  return {iterative_stream<T>(builder_, head),
          this->template side_stream<F>(head, output_tag<F>(feedback_tag))};
}

}  // namespace millrace
