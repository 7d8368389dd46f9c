#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "millrace/source/reading_operator.hpp"
#include "millrace/source/source.hpp"
#include "millrace/source/source_coordinator.hpp"

namespace millrace {

/// A reading_operator of records of type T.
template <class T>
class source_reader_operator final : public reading_operator {
 public:
  source_reader_operator(std::shared_ptr<const source_base<T>> source,
                         std::unique_ptr<source_event_time_base<T>> event_time)
      : reading_operator(std::move(event_time)), source_(std::move(source)) {}

  void bind_output(output& target, const batch_limits& limits) override {
    source_operator::bind_output(target, limits);
    if (event_time())
      checked_cast<source_event_time_base<T>&>(*event_time()).bind(out_, target, limits);
    else
      out_.bind(target, limits);
  }

 private:
  std::unique_ptr<any_source_reader> make_reader(reader_context& context) const override {
    return source_->make_reader(context);
  }
  poll_status read(any_source_reader& reader) override {
    const auto how = checked_cast<source_reader_base<T>&>(reader).poll(out_);
    out_.flush();
    return how;
  }

  std::shared_ptr<const source_base<T>> source_;
  source_output<T> out_;
};

/// Makes the operators and the coordinator of a source.
template <class T>
class source_factory final : public operator_factory {
 public:
  /// Makes what gives the records of a subtask event time; may return null.
  using event_time_maker = std::function<std::unique_ptr<source_event_time_base<T>>()>;

  source_factory(std::shared_ptr<const source_base<T>> source, event_time_maker event_time)
      : source_(std::move(source)), event_time_(std::move(event_time)) {}

  std::unique_ptr<stream_operator> create() const override {
    return std::make_unique<source_reader_operator<T>>(source_,
                                                       event_time_ ? event_time_() : nullptr);
  }
  const record_type* input_type(std::size_t) const noexcept override { return nullptr; }
  const record_type* output_type() const noexcept override { return &record_type_of<T>(); }
  bool has_coordinator() const noexcept override { return true; }
  std::unique_ptr<operator_coordinator> create_coordinator(
      coordinator_context& context) const override {
    return std::make_unique<source_coordinator>(source_, context);
  }

 private:
  std::shared_ptr<const source_base<T>> source_;
  event_time_maker event_time_;
};

/// The factory of a source whose records have no event time, or bring their own timestamps.
template <class T>
operator_factory_ptr make_source(std::shared_ptr<const source_base<T>> source) {
  return operator_factory_ptr(new source_factory<T>(std::move(source), nullptr));
}

/// The factory of a source with event time per split.
template <class T>
operator_factory_ptr make_source(std::shared_ptr<const source_base<T>> source,
                                 watermark_strategy<T> strategy) {
  return operator_factory_ptr(new source_factory<T>(
      std::move(source),
      [strategy = std::move(strategy)] { return make_source_event_time(strategy); }));
}

}  // namespace millrace
