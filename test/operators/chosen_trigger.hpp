#pragma once

#include <functional>

#include "reference/plain_trigger.hpp"

namespace millrace::test {

/// One of the triggers that fire by themselves, with a timeout around it.
using timed_trigger = processing_time_timeout_trigger<reference::plain_trigger>;

/// A trigger_context of any key and window, so that the triggers that are chosen from are compiled
/// for this one alone.
class any_trigger_context {
 public:
  virtual ~any_trigger_context() = default;
  virtual timestamp_ms current_watermark() const = 0;
  virtual timestamp_ms current_processing_time() const = 0;
  virtual bool ends_by_event_time() const = 0;
  virtual bool is_ending() const = 0;
  virtual bool is_first_row() const = 0;
  virtual void register_event_time_timer(timestamp_ms at) = 0;
  virtual void register_processing_time_timer(timestamp_ms at) = 0;
  virtual void delete_event_time_timer(timestamp_ms at) = 0;
  virtual void delete_processing_time_timer(timestamp_ms at) = 0;
  virtual timed_trigger::state& state() = 0;
  virtual const timed_trigger::state* find_state() = 0;
  virtual void clear_state() = 0;

  using merging = std::function<void(timed_trigger::state&, const timed_trigger::state&)>;
  virtual void merge_state(const merging& merge) = 0;
};

/// All that a trigger needs to know of a window.
struct any_window {
  timestamp_ms last = 0;
  timestamp_ms max_timestamp() const noexcept { return last; }
};

/// The trigger that a job says, so that one operator does for all of them.
class chosen_trigger {
 public:
  using state = timed_trigger::state;

  explicit chosen_trigger(const reference::window_job& job) : job_(job) {}

  template <class Window, class Context>
  trigger_result on_element(const reference::event& e, timestamp_ms at, const Window& w,
                            Context& context) const {
    erased<Context> any(context);
    return on_element_of(e, at, {w.max_timestamp()}, any);
  }
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& w, Context& context) const {
    erased<Context> any(context);
    return on_event_time_of(at, {w.max_timestamp()}, any);
  }
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms at, const Window& w, Context& context) const {
    erased<Context> any(context);
    return on_processing_time_of(at, {w.max_timestamp()}, any);
  }
  template <class Window, class Context>
  void on_merge(const Window& w, Context& context) const {
    erased<Context> any(context);
    on_merge_of({w.max_timestamp()}, any);
  }
  template <class Window, class Context>
  void clear(const Window& w, Context& context) const {
    erased<Context> any(context);
    clear_of({w.max_timestamp()}, any);
  }

 private:
  template <class Context>
  struct erased final : any_trigger_context {
    explicit erased(Context& of) : real(of) {}
    timestamp_ms current_watermark() const override { return real.current_watermark(); }
    timestamp_ms current_processing_time() const override { return real.current_processing_time(); }
    bool ends_by_event_time() const override { return real.ends_by_event_time(); }
    bool is_ending() const override { return real.is_ending(); }
    bool is_first_row() const override { return real.is_first_row(); }
    void register_event_time_timer(timestamp_ms at) override { real.register_event_time_timer(at); }
    void register_processing_time_timer(timestamp_ms at) override {
      real.register_processing_time_timer(at);
    }
    void delete_event_time_timer(timestamp_ms at) override { real.delete_event_time_timer(at); }
    void delete_processing_time_timer(timestamp_ms at) override {
      real.delete_processing_time_timer(at);
    }
    timed_trigger::state& state() override { return real.state(); }
    const timed_trigger::state* find_state() override { return real.find_state(); }
    void clear_state() override { real.clear_state(); }
    void merge_state(const merging& merge) override { real.merge_state(merge); }

    Context& real;
  };

  template <class Call>
  trigger_result with_all(any_trigger_context& context, Call&& call) const;
  trigger_result on_element_of(const reference::event& e, timestamp_ms at, any_window w,
                               any_trigger_context& context) const;
  trigger_result on_event_time_of(timestamp_ms at, any_window w,
                                  any_trigger_context& context) const;
  trigger_result on_processing_time_of(timestamp_ms at, any_window w,
                                       any_trigger_context& context) const;
  void on_merge_of(any_window w, any_trigger_context& context) const;
  void clear_of(any_window w, any_trigger_context& context) const;

  reference::window_job job_;
};

}  // namespace millrace::test
