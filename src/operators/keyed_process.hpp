#pragma once

#include <limits>
#include <utility>

#include "millrace/operators/key_block.hpp"
#include "millrace/operators/own_state_names.hpp"
#include "millrace/operators/process_function.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// What functions on keyed streams have in common, whatever they are called with (Flink's
/// KeyedProcessOperator and KeyedCoProcessOperator): the current key, timers, time, side outputs.
/// `Context` is a timer_context.
template <class Key, class Out, class Fn, class Context = on_timer_context<Key>>
class keyed_process_base : public producing<Out> {
 public:
  explicit keyed_process_base(Fn fn) : fn_(std::move(fn)) {}

  void open(operator_context& context) override {
    context_ = &context;
    state_ = &context.keyed_backend<Key>();
    timers_ = &state_->template timers<void_namespace>(own_state_names::timers);
    side_.open(context);
    now_.open(context, side_, *state_, *timers_);
    keyed_runtime_context<Key> runtime(context, *state_);
    fn_.open_with(context, runtime);
    ask_for_wake_up();
  }

  void on_watermark(timestamp_ms at) override {
    now_.set_watermark(at);
    timers_->advance_watermark(at, [&](const auto& due) { fire(due, time_domain::event_time); });
    end_call();
    this->forwarded().push_watermark(at);
  }

  void on_processing_time(timestamp_ms now) override {
    if (is_finished_) return;  // what is left never fires: the function is closed
    wake_up_ = never;
    timers_->advance_processing_time(
        now, [&](const auto& due) { fire(due, time_domain::processing_time); });
    end_call();
  }

  bool finish() override {
    const auto dropped = end_processing_time();
    if (dropped > 0) context_->runtime().metric("processing_time_timers_dropped").add(dropped);
    is_finished_ = true;
    fn_.finish();
    return true;
  }
  void close() noexcept override { fn_.close(); }

 protected:
  /// `call(row, context)` for each row, with its key as the current one.
  template <class In, class KeyOf, class Call>
  void process_rows(batch& rows, rows_access access, key_block<In, KeyOf>& block, Call&& call) {
    auto& in = typed<In>(rows);
    for (std::size_t begin = 0; begin < in.rows.size(); begin += block.rows_max) {
      const auto count = std::min(block.rows_max, in.rows.size() - begin);
      block.find(&in.rows[begin], count);
      state_->prefetch(block.keys(), block.hashes());
      for (std::size_t i = 0; i < count; ++i) {
        const auto timestamp = in.timestamp_of(begin + i);
        state_->set_current_key(block.at(i), block.hash(i));
        set_timestamp(timestamp, timestamp);
        auto& row = in.rows[begin + i];
        if (access == rows_access::exclusive)
          call(std::move(row), now_);
        else
          call(std::as_const(row), now_);
      }
    }
    end_call();
  }

  /// Nothing that was emitted may lag, and the function may have registered timers.
  void end_call() {
    this->out_.flush();
    side_.flush();
    ask_for_wake_up();
  }

  user_function<Fn> fn_;
  // -- checkpointed, by key group
  keyed_state_backend<Key>* state_ = nullptr;
  // -- not checkpointed
  side_outputs side_;
  Context now_;

 private:
  static constexpr timestamp_ms never = std::numeric_limits<timestamp_ms>::max();

  /// In batch mode what is left of it fires now; in streaming mode nobody can wait for it. Returns
  /// how many timers do not fire.
  std::size_t end_processing_time() {
    if (context_->runtime().mode() == runtime_mode::streaming)
      return timers_->processing_time_timer_count();
    const auto dropped = timers_->end_processing_time(
        [&](const auto& due) { fire(due, time_domain::processing_time); },
        [&](const auto& due) { fire(due, time_domain::event_time); });
    end_call();
    return dropped;
  }

  void fire(const timer<Key, void_namespace>& due, time_domain domain) {
    if constexpr (has_on_timer<Fn, Context, Out>) {
      state_->set_current_key(due.key);
      set_timestamp(due.timestamp,
                    domain == time_domain::event_time ? due.timestamp : no_timestamp);
      now_.set_time_domain(domain);
      (*fn_).on_timer(due.timestamp, now_, this->out_);
    }
  }

  void set_timestamp(timestamp_ms at, timestamp_ms of_rows) {
    this->out_.set_timestamp(of_rows);
    now_.set_timestamp(at, of_rows);
  }

  void ask_for_wake_up() {
    const auto next = timers_->next_processing_time();
    if (next >= wake_up_) return;
    wake_up_ = next;
    context_->wake_at_processing_time(next);
  }

  // -- checkpointed, by key group
  timer_service<Key, void_namespace>* timers_ = nullptr;
  // -- not checkpointed
  operator_context* context_ = nullptr;
  timestamp_ms wake_up_ = never;  // that was asked for
  bool is_finished_ = false;
};

template <class In, class Out, class KeyOf, class Fn>
class keyed_process_operator final : public keyed_process_base<key_type<In, KeyOf>, Out, Fn> {
 public:
  keyed_process_operator(KeyOf key_of, Fn fn)
      : keyed_process_base<key_type<In, KeyOf>, Out, Fn>(std::move(fn)),
        block_(std::move(key_of)) {}

  void process(std::size_t, batch& rows, rows_access access) override {
    this->process_rows(rows, access, block_, [&](auto&& row, auto& now) {
      process_with(*this->fn_, std::forward<decltype(row)>(row),
                   static_cast<keyed_process_context<key_type<In, KeyOf>>&>(now), this->out_);
    });
  }

 private:
  key_block<In, KeyOf> block_;
};

template <class In, class Out, class KeyOf, class Fn>
operator_factory_ptr make_keyed_process(KeyOf key_of, Fn fn) {
  return make_factory<In, Out>([key_of, fn] {
    return std::make_unique<keyed_process_operator<In, Out, KeyOf, Fn>>(key_of, fn);
  });
}

}  // namespace millrace
