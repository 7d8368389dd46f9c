#pragma once

#include <concepts>
#include <span>
#include <utility>

#include "millrace/core/io.hpp"
#include "millrace/operators/window_trigger.hpp"
#include "millrace/state/keyed_state_slot.hpp"

namespace millrace {

/// What a trigger may see and do for the current key and window (Flink's Trigger.TriggerContext).
/// Owned by a window operator, which sets both.
template <class Key, class Window, class State>
class trigger_context {
 public:
  /// What the context is about, from now on.
  void open(keyed_state_backend<Key>& backend, timer_service<Key, Window>& timers,
            const clock& time, bool ends_by_event_time, std::int64_t allowed_lateness_ms) {
    timers_ = &timers;
    time_ = &time;
    ends_by_event_time_ = ends_by_event_time;
    lateness_ = allowed_lateness_ms;
    if constexpr (has_state)
      state_ =
          backend.template get_namespaced<Window>(value_state_descriptor<State>("_trigger-state"));
  }

  // -- for triggers -------------------------------------------------------------------------

  /// Event time.
  timestamp_ms current_watermark() const noexcept { return timers_->current_watermark(); }
  /// The wall clock's time.
  timestamp_ms current_processing_time() const noexcept { return time_->wall_ms(); }
  /// Whether windows end by the watermark; else they do by the wall clock, or never.
  bool ends_by_event_time() const noexcept { return ends_by_event_time_; }
  /// Whether the input is over, so that no timer can be set any more.
  bool is_ending() const noexcept { return is_ending_; }
  /// In on_element: whether the window was empty before this record.
  bool is_first_row() const noexcept { return is_first_row_; }

  /// Timers belong to the key and the window; setting one again changes nothing.
  void register_event_time_timer(timestamp_ms at) {
    // A window without end could set timers for ever once the input has ended.
    const bool is_over =
        current_watermark() == max_watermark && window_->max_timestamp() == max_watermark;
    if (!is_ending_ && !is_over) timers_->register_event_time_timer(*window_, at);
  }
  /// For the current key and window.
  void register_processing_time_timer(timestamp_ms at) {
    if (!is_ending_) timers_->register_processing_time_timer(*window_, at);
  }
  /// Nothing happens if there is no such timer. One for the time at which the window is forgotten
  /// stays, as that is the operator's, too. (In Flink a trigger that deletes it leaks the window.)
  void delete_event_time_timer(timestamp_ms at) {
    if (!ends_by_event_time_ || at != saturating_add(window_->max_timestamp(), lateness_))
      timers_->delete_event_time_timer(*window_, at);
  }
  /// The same in processing time.
  void delete_processing_time_timer(timestamp_ms at) {
    if (ends_by_event_time_ || at != window_->max_timestamp())
      timers_->delete_processing_time_timer(*window_, at);
  }

  /// What the trigger remembers of this window, made by `State{}` if there is nothing. Valid until
  /// the next call.
  State& state() requires(!std::same_as<State, no_trigger_state>) {
    state_.set_current_namespace(*window_);
    return state_.get_or_default();
  }
  /// Null if it remembers nothing.
  const State* find_state() const requires(!std::same_as<State, no_trigger_state>) {
    state_.set_current_namespace(*window_);
    return state_.find();
  }
  /// Drops what the trigger keeps for the window.
  void clear_state() requires(!std::same_as<State, no_trigger_state>) {
    state_.set_current_namespace(*window_);
    state_.clear();
  }
  /// In on_merge: `merge(State& into, const State& from)` for each window that was merged. Theirs
  /// stays until the trigger is asked to clear them, which follows.
  template <class Merge>
  void merge_state(Merge&& merge) requires(!std::same_as<State, no_trigger_state>) {
    for (const Window& source : merged_) {
      if (source == *window_) continue;
      state_.set_current_namespace(source);
      const State* found = state_.find();
      if (found == nullptr) continue;
      const State from = *found;
      merge(state(), from);
    }
  }

  // -- for operators ------------------------------------------------------------------------

  /// The window that the next calls are about.
  void set_window(const Window& window, bool is_first_row = false) noexcept {
    window_ = &window;
    is_first_row_ = is_first_row;
  }
  /// The windows that the current one was merged of.
  void set_merged(std::span<const Window> merged) noexcept { merged_ = merged; }
  /// From now on no timer is set: the input is over, and none would come.
  void set_ending() noexcept { is_ending_ = true; }

 private:
  static constexpr bool has_state = !std::same_as<State, no_trigger_state>;
  using state_handle =
      std::conditional_t<has_state, namespaced<value_state<State>, Window>, no_trigger_state>;

  timer_service<Key, Window>* timers_ = nullptr;
  const clock* time_ = nullptr;
  const Window* window_ = nullptr;
  std::span<const Window> merged_;
  std::int64_t lateness_ = 0;
  bool ends_by_event_time_ = false;
  bool is_first_row_ = false;
  bool is_ending_ = false;
  [[no_unique_address]] state_handle state_;
};

}  // namespace millrace
