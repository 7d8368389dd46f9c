#pragma once

#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"

namespace millrace {

/// What function_source takes: puts records into a `collector<T>&` and returns a poll_status.
template <class Fn, class T>
concept source_function = std::invocable < Fn&,
        collector<T>
& > &&std::same_as<std::invoke_result_t<Fn&, collector<T>&>, poll_status>;

/// A source that is a function: each call puts a few records (about a batch) into the collector and
/// says how to go on. It must not block; one that waits takes `open(operator_context&)` for I/O and
/// timers, and returns `poll_status::idle` meanwhile.
template <class T, class Fn>
class function_source final : public function_operator<Fn, producing<T, source_operator>> {
  using base = function_operator<Fn, producing<T, source_operator>>;

 public:
  using base::base;

  void open(operator_context& context) override {
    refuse_checkpoints(context, "it is a function, which would begin afresh after a restart",
                       "write a source with splits, which goes on where it was");
    base::open(context);
  }

  poll_status poll() override {
    const poll_status how = std::invoke(*this->fn_, this->out_);
    this->out_.flush();
    return how;
  }

  source_progress progress() const noexcept override {
    if constexpr (requires(const Fn& fn) {
                    { fn.progress() } -> std::same_as<source_progress>;
                  })
      return (*this->fn_).progress();
    else
      return {};
  }
};

/// A function_source for each subtask, with a copy of `fn` of its own.
template <class T, class Fn>
operator_factory_ptr make_function_source(Fn fn) {
  return make_factory<void, T>([fn] { return std::make_unique<function_source<T, Fn>>(fn); });
}

}  // namespace millrace
