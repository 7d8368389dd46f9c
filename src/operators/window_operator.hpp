#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "millrace/operators/key_block.hpp"
#include "millrace/operators/late_records.hpp"
#include "millrace/operators/merging_windows.hpp"
#include "millrace/operators/trigger_context.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/window_assigner.hpp"
#include "millrace/operators/window_contents.hpp"
#include "millrace/operators/window_function.hpp"

namespace millrace {

/// The content of a window. Apart from the operator, as operators of one accumulator share the code
/// of their state.
template <class Accumulator>
struct window_pane {
  bool has_rows = false;
  Accumulator content{};
};

/// What a window operator is made of.
template <class T, class KeyOf, class Assigner, class Trigger, class Contents, class Function>
struct window_settings {
  KeyOf key_of;
  Assigner assigner;
  Trigger trigger;
  Contents contents;
  Function function;
  std::int64_t allowed_lateness_ms = 0;
  std::optional<output_tag<T>> late_tag;
};

/// Windows over a keyed stream, of any assigner, trigger, evictor and function (Flink's
/// WindowOperator and EvictingWindowOperator). Each record is added to each of its windows; sliding
/// windows of aggregates are done by `slicing_window_operator`.
///
/// State, all by key group: the content of each window, the trigger's memory of it, which sessions
/// are alive, and the timers, of triggers as well as of the windows' ends. A window is forgotten
/// once the watermark has passed its end by the allowed lateness, or the wall clock its end.
///
/// At the end of a bounded input event time comes to its end, and windows of processing time fire
/// once, with what they have. (Flink drops these.)
template <class T, class Out, class KeyOf, class Assigner, class Trigger, class Contents,
          class Function>
class window_operator final : public producing<Out> {
 public:
  using settings = window_settings<T, KeyOf, Assigner, Trigger, Contents, Function>;
  using key = key_type<T, KeyOf>;
  using window = typename Assigner::window;

  explicit window_operator(settings how)
      : keys_(std::move(how.key_of)),
        assigner_(std::move(how.assigner)),
        trigger_(std::move(how.trigger)),
        contents_(std::move(how.contents)),
        function_(std::move(how.function)),
        lateness_(how.allowed_lateness_ms),
        late_(std::move(how.late_tag)) {}

  void open(operator_context& context) override {
    context_ = &context;
    backend_ = &context.keyed_backend<key>();
    timers_ = &backend_->template timers<window>("_window-timers");
    panes_ =
        backend_->template get_namespaced<window>(value_state_descriptor<pane>("_window-contents"));
    if constexpr (Assigner::is_merging)
      alive_ = backend_->get_state(
          value_state_descriptor<typename merging_windows<window>::list>("_merging-windows"));
    trigger_context_.open(*backend_, *timers_, context.time(), Assigner::is_event_time, lateness_);
    side_.open(context);
    late_.open(context, side_);
    contents_.open(context);
    keyed_runtime_context<key> runtime(context, *backend_);
    function_.open_with(context, runtime);
    ask_for_wake_up();
  }

  void process(std::size_t, batch& rows, rows_access) override {
    const auto& in = typed<T>(rows);
    now_ = context_->time().wall_ms();
    for (std::size_t begin = 0; begin < in.size(); begin += keys_.rows_max) {
      const auto count = std::min(keys_.rows_max, in.size() - begin);
      keys_.find(&in.rows[begin], count);
      for (std::size_t i = 0; i < count; ++i)
        add(in.rows[begin + i], in.timestamp_of(begin + i), i);
    }
    flush();
    ask_for_wake_up();
  }

  void on_watermark(timestamp_ms at) override {
    now_ = context_->time().wall_ms();
    timers_->advance_watermark(at, [this](const auto& due) { fire<true>(due); });
    flush();
    ask_for_wake_up();
    producing<Out>::on_watermark(at);
  }

  void on_processing_time(timestamp_ms now) override {
    now_ = now;
    // A time is over once the clock shows the next one, so that no more records come for it.
    timers_->advance_processing_time(now - 1, [this](const auto& due) { fire<false>(due); });
    flush();
    ask_for_wake_up();
  }

  bool finish() override {
    trigger_context_.set_ending();
    timers_->advance_processing_time(max_watermark, [this](const auto& due) { fire<false>(due); });
    flush();
    contents_.finish();
    function_.finish();
    return true;
  }
  void close() noexcept override {
    contents_.close();
    function_.close();
  }

 private:
  using pane = window_pane<typename Contents::accumulator>;

  // -- records ------------------------------------------------------------------------------

  void add(const T& row, timestamp_ms timestamp, std::size_t i) {
    backend_->set_current_key(keys_.at(i), keys_.hash(i));
    timestamp_ms at = now_;
    if constexpr (Assigner::is_event_time) {
      if (!is_placeable(timestamp)) throw_unplaceable_timestamp(timestamp);
      at = timestamp;
    }
    bool is_in_none = true;
    bool has_windows = false;
    assigner_.assign(row, at, [&](const window& assigned) {
      has_windows = true;
      if constexpr (Assigner::is_merging)
        add_to_merging(row, timestamp, assigned, is_in_none);
      else
        add_to(row, timestamp, assigned, assigned, is_in_none);
    });
    // With a slide above the size a record may have no window at all: it is not late.
    if (is_in_none && has_windows) late_.add(row, timestamp);
  }

  /// `state` is the namespace of the window's content.
  void add_to(const T& row, timestamp_ms timestamp, const window& w, const window& state,
              bool& is_in_none) {
    if (is_late(w)) return;
    is_in_none = false;
    panes_.set_current_namespace(state);
    pane& content = panes_.get_or_default();
    const bool is_first = !content.has_rows;
    if (is_first) {
      content.has_rows = true;
      contents_->add_first(content.content, row, timestamp);
      register_cleanup(w);
    } else {
      contents_->add(content.content, row, timestamp);
    }
    trigger_context_.set_window(w, is_first);
    act(trigger_.on_element(row, timestamp, w, trigger_context_), w, state);
  }

  void add_to_merging(const T& row, timestamp_ms timestamp, const window& assigned,
                      bool& is_in_none) {
    // Written back as a whole: triggers and functions may use other state meanwhile.
    auto list = alive_.value();
    merging_windows<window> alive(list);
    const window actual = alive.add(
        assigned, [&](const window& result, std::span<const window> merged, const window& state,
                      std::span<const window> states) { merge(result, merged, state, states); });
    if (is_late(actual)) {
      alive.retire(actual);
      save(list);
      return;
    }
    const window state = *alive.state_of(actual);
    save(list);
    add_to(row, timestamp, actual, state, is_in_none);
  }

  /// Windows became one: the trigger's memory and the timers move to it, and so does the content.
  void merge(const window& result, std::span<const window> merged, const window& state,
             std::span<const window> states) {
    trigger_context_.set_merged(merged);
    trigger_context_.set_window(result);
    trigger_.on_merge(result, trigger_context_);
    for (const window& gone : merged) {
      if (gone == result) continue;
      trigger_context_.set_window(gone);
      trigger_.clear(gone, trigger_context_);
      delete_cleanup(gone);
    }
    trigger_context_.set_merged({});
    for (const window& from : states) {
      panes_.set_current_namespace(from);
      const pane* found = panes_.find();
      if (found == nullptr) continue;
      const pane moved = *found;
      panes_.clear();
      if (!moved.has_rows) continue;
      panes_.set_current_namespace(state);
      pane& into = panes_.get_or_default();
      if (into.has_rows)
        contents_->merge(into.content, moved.content);
      else
        into = moved;
    }
    register_cleanup(result);
  }

  // -- timers -------------------------------------------------------------------------------

  template <bool EventTime>
  void fire(const timer<key, window>& due) {
    backend_->set_current_key(due.key);
    window state = due.ns;
    if constexpr (Assigner::is_merging) {
      auto list = alive_.value();
      const window* found = merging_windows<window>(list).state_of(due.ns);
      if (found == nullptr) return;  // it was merged into another one
      state = *found;
    }
    trigger_context_.set_window(due.ns);
    const auto decision = [&] {
      if constexpr (EventTime)
        return trigger_.on_event_time(due.timestamp, due.ns, trigger_context_);
      else
        return trigger_.on_processing_time(due.timestamp, due.ns, trigger_context_);
    }();
    // Of what has no end any more, one result is enough.
    const bool is_last = trigger_context_.is_ending() && fires(decision);
    act(is_last ? trigger_result::fire_and_purge : decision, due.ns, state);
    if (EventTime == Assigner::is_event_time && due.timestamp == cleanup_time(due.ns))
      forget(due.ns, state);
  }

  void act(trigger_result decision, const window& w, const window& state) {
    if (fires(decision)) emit(w, state);
    if (!purges(decision)) return;
    panes_.set_current_namespace(state);
    panes_.clear();
  }

  void emit(const window& w, const window& state) {
    panes_.set_current_namespace(state);
    this->out_.set_timestamp(timestamp_of_results(w));
    auto context = context_of(w);
    if constexpr (is_evicted<Contents>) {
      const pane* found = panes_.find();
      if (found == nullptr || !found->has_rows) return;
      auto rows = found->content;
      contents_->evictor.evict_before(rows);
      if (!rows.empty())
        (*function_)(backend_->current_key(), context, contents_->result(rows), this->out_);
      contents_->evictor.evict_after(rows);
      panes_.set_current_namespace(state);
      if (rows.empty())
        panes_.clear();
      else
        panes_.get_or_default().content = std::move(rows);
    } else {
      const pane* found = panes_.find();
      if (found == nullptr || !found->has_rows) return;
      (*function_)(backend_->current_key(), context, contents_->result(found->content), this->out_);
    }
  }

  /// The window is over: nothing of it stays.
  void forget(const window& w, const window& state) {
    panes_.set_current_namespace(state);
    panes_.clear();
    trigger_context_.set_window(w);
    trigger_.clear(w, trigger_context_);
    if constexpr (requires(window_context<key, window> & context) {
                    (*function_).clear(context);
                  }) {
      auto context = context_of(w);
      (*function_).clear(context);
    }
    if constexpr (Assigner::is_merging) {
      auto list = alive_.value();
      merging_windows<window>(list).retire(w);
      save(list);
    }
  }

  window_context<key, window> context_of(const window& w) {
    return {*backend_, side_, w, timers_->current_watermark(), now_, Assigner::is_merging};
  }

  timestamp_ms cleanup_time(const window& w) const noexcept {
    return Assigner::is_event_time ? saturating_add(w.max_timestamp(), lateness_)
                                   : w.max_timestamp();
  }
  bool is_late(const window& w) const noexcept {
    return Assigner::is_event_time && cleanup_time(w) <= timers_->current_watermark();
  }
  /// Windows that never end need no timer, nor do those that end with event time itself.
  void register_cleanup(const window& w) {
    const auto at = cleanup_time(w);
    if (at == max_watermark) return;
    if constexpr (Assigner::is_event_time)
      timers_->register_event_time_timer(w, at);
    else
      timers_->register_processing_time_timer(w, at);
  }
  void delete_cleanup(const window& w) {
    if constexpr (Assigner::is_event_time)
      timers_->delete_event_time_timer(w, cleanup_time(w));
    else
      timers_->delete_processing_time_timer(w, cleanup_time(w));
  }

  void save(typename merging_windows<window>::list& list) {
    if (list.empty())
      alive_.clear();
    else
      alive_.update(std::move(list));
  }

  /// Late records go to side outputs, and so may functions when a window fires or is forgotten.
  void flush() {
    this->out_.flush();
    side_.flush();
  }

  void ask_for_wake_up() {
    if (const auto next = timers_->next_processing_time(); next != max_watermark)
      context_->wake_at_processing_time(next + 1);
  }

  key_block<T, KeyOf> keys_;
  Assigner assigner_;
  Trigger trigger_;
  user_function<Contents> contents_;
  user_function<Function> function_;
  std::int64_t lateness_;
  late_records<T> late_;

  operator_context* context_ = nullptr;
  side_outputs side_;
  timestamp_ms now_ = no_timestamp;  // of the call at hand

  // checkpointed, by the backend
  keyed_state_backend<key>* backend_ = nullptr;
  timer_service<key, window>* timers_ = nullptr;
  namespaced<value_state<pane>, window> panes_;
  value_state<typename merging_windows<window>::list> alive_;
  trigger_context<key, window, typename Trigger::state> trigger_context_;
};

template <class T, class Out, class KeyOf, class Assigner, class Trigger, class Contents,
          class Function>
operator_factory_ptr make_window_operator(
    window_settings<T, KeyOf, Assigner, Trigger, Contents, Function> how) {
  return make_factory<T, Out>([how] {
    return std::make_unique<window_operator<T, Out, KeyOf, Assigner, Trigger, Contents, Function>>(
        how);
  });
}

}  // namespace millrace
