#pragma once

#include <cstdint>

#include "millrace/operators/process_context.hpp"
#include "millrace/state/keyed_state_slot.hpp"

namespace millrace {

/// Which clock a timer goes by.
enum class time_domain : std::uint8_t { event_time, processing_time };

/// The timers of the current key (Flink's TimerService). One per key, timestamp and time domain:
/// registering it twice is registering it once.
///
/// An event-time timer fires when the watermark reaches its timestamp, so one for the past fires at
/// the next watermark; at the end of the input all that are left fire. A processing-time timer
/// fires when the wall clock shows its timestamp. Those that are left at the end of the input fire
/// then in batch mode, in which what they register is dropped; in streaming mode they are dropped.
/// What is dropped is counted by the metric `processing_time_timers_dropped`.
template <class Key>
class keyed_timers {
 public:
  keyed_timers(const process_context& now, millrace::timer_service<Key, void_namespace>& timers)
      : now_(now), timers_(timers) {}

  /// As process_context.
  timestamp_ms current_watermark() const noexcept { return now_.current_watermark(); }
  /// As process_context.
  timestamp_ms current_processing_time() const { return now_.current_processing_time(); }

  /// For the current key.
  void register_event_time_timer(timestamp_ms at) { timers_.register_event_time_timer({}, at); }
  /// For the current key.
  void register_processing_time_timer(timestamp_ms at) {
    timers_.register_processing_time_timer({}, at);
  }
  /// Nothing happens if there is no such timer.
  void delete_event_time_timer(timestamp_ms at) { timers_.delete_event_time_timer({}, at); }
  /// The same.
  void delete_processing_time_timer(timestamp_ms at) {
    timers_.delete_processing_time_timer({}, at);
  }

 private:
  const process_context& now_;
  millrace::timer_service<Key, void_namespace>& timers_;
};

/// What a function on a keyed stream learns about the record at hand (Flink's
/// KeyedProcessFunction.Context). Valid during the call only.
template <class Key>
class keyed_process_context : public process_context {
 public:
  /// Of the record or timer at hand.
  const Key& current_key() const noexcept { return state_->current_key(); }
  /// The timers of the current key.
  keyed_timers<Key> timer_service() { return {*this, *timers_}; }

  // -- for operators ---------------------------------------------------------------------------

  /// What the context is about, from now on.
  void open(operator_context& context, side_outputs& side, keyed_state_backend<Key>& state,
            millrace::timer_service<Key, void_namespace>& timers) {
    process_context::open(context, side);
    state_ = &state;
    timers_ = &timers;
  }

 private:
  keyed_state_backend<Key>* state_ = nullptr;
  millrace::timer_service<Key, void_namespace>* timers_ = nullptr;
};

/// A context when a timer fires: timestamp() is the timer's, the key is the one that registered it.
template <class Context>
class timer_context : public Context {
 public:
  /// Of the timer.
  millrace::time_domain time_domain() const noexcept { return domain_; }

  /// For operators.
  void set_time_domain(millrace::time_domain domain) noexcept { domain_ = domain; }

 private:
  millrace::time_domain domain_ = millrace::time_domain::event_time;
};

/// What a function on a keyed stream learns about a timer (Flink's OnTimerContext).
template <class Key>
using on_timer_context = timer_context<keyed_process_context<Key>>;

}  // namespace millrace
