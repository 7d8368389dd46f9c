#include "chosen_windows.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "chosen_trigger.hpp"
#include "millrace/operators/slicing_window_operator.hpp"
#include "reference/plain_evictor.hpp"

namespace millrace::test {

using namespace reference;
using std::chrono::milliseconds;

bool chosen_windows::meets_clock() const {
  const bool has_clock_trigger =
      job.trigger == triggering::at_clock_end || job.trigger == triggering::continuously_by_clock;
  const bool has_event_trigger =
      job.trigger == triggering::at_end || job.trigger == triggering::continuously;
  return job.is_event_time ? has_clock_trigger : has_event_trigger;
}

std::string chosen_windows::to_string() const {
  std::ostringstream out;
  out << (is_sliced ? "sliced, " : "") << "assigner " << static_cast<int>(job.assigner)
      << (job.is_event_time ? " of event time" : " of the clock") << ", size " << job.size
      << ", gap spread " << job.gap_spread << ", slide " << job.slide << ", offset " << job.offset
      << ", lateness " << job.lateness << ", trigger " << static_cast<int>(job.trigger) << " n "
      << job.n << " interval " << job.interval << " delta " << job.delta
      << (job.purges ? " purging" : "");
  if (job.timeout)
    out << ", timeout " << *job.timeout << (job.timeout_resets ? " resets" : "")
        << (job.timeout_clears ? " clears" : "") << (job.timeout_purges ? " purges" : "");
  if (job.evictor != evicting::nothing)
    out << ", evictor " << static_cast<int>(job.evictor) << (job.evicts_after ? " after" : "")
        << " keeps " << job.keeps;
  out << ", function " << static_cast<int>(keeps) << (counts_firings ? " counting" : "");
  return out.str();
}

namespace {

// -- the parts that are chosen from ------------------------------------------------------------

template <bool EventTime, bool Merging>
struct chosen_assigner {
  using window = time_window;
  static constexpr bool is_event_time = EventTime;
  static constexpr bool is_merging = Merging;

  window_job job;

  template <class Emit>
  void assign(const event& e, timestamp_ms at, Emit&& emit) const {
    const milliseconds size(job.size), slide(job.slide), offset(job.offset);
    if constexpr (Merging) {
      if (job.gap_spread == 1)
        return session_windows<EventTime>::with_gap(size).assign(e, at, emit);
      const auto gap_of = [&](const event& of) {
        return size + milliseconds(of.value % job.gap_spread);
      };
      dynamic_session_windows<EventTime, decltype(gap_of)>(gap_of).assign(e, at, emit);
    } else if (size == slide) {
      tumbling_windows<EventTime>::of(size, offset).assign(e, at, emit);
    } else {
      sliding_windows<EventTime>::of(size, slide, offset).assign(e, at, emit);
    }
  }
};

struct sum_of_values {
  std::int64_t create_accumulator() const { return 0; }
  void add(std::int64_t& into, const event& e) const { into += e.value; }
  std::int64_t get_result(const std::int64_t& sum) const { return sum; }
  void merge(std::int64_t& into, const std::int64_t& from) const { into += from; }
};
struct sum_and_latest {
  void operator()(event& into, const event& e) const {
    into.value += e.value;
    into.at = std::max(into.at, e.at);
  }
};

/// The contents of aggregate, reduce or process.
struct chosen_contents {
  using accumulator = chosen_accumulator;
  using result_type = accumulator;

  keeping keeps;
  aggregated_contents<event, sum_of_values> sums{};
  folded_contents<event, sum_and_latest> folds{};
  listed_contents<event> lists{};

  void add_first(accumulator& into, const event& e, timestamp_ms at) const {
    if (keeps == keeping::sum) sums.add_first(into.emplace<0>(), e, at);
    if (keeps == keeping::fold) folds.add_first(into.emplace<1>(), e, at);
    if (keeps == keeping::list) lists.add_first(into.emplace<2>(), e, at);
  }
  void add(accumulator& into, const event& e, timestamp_ms at) const {
    if (keeps == keeping::sum) sums.add(std::get<0>(into), e, at);
    if (keeps == keeping::fold) folds.add(std::get<1>(into), e, at);
    if (keeps == keeping::list) lists.add(std::get<2>(into), e, at);
  }
  void merge(accumulator& into, const accumulator& from) const {
    if (keeps == keeping::sum) sums.merge(std::get<0>(into), std::get<0>(from));
    if (keeps == keeping::fold) folds.merge(std::get<1>(into), std::get<1>(from));
    if (keeps == keeping::list) lists.merge(std::get<2>(into), std::get<2>(from));
  }
  accumulator result(const accumulator& from) const {
    if (keeps == keeping::sum) return sums.result(std::get<0>(from));
    if (keeps == keeping::fold) return folds.result(std::get<1>(from));
    return lists.result(std::get<2>(from));
  }
};

/// Emits what a window has, and the how-manieth time it is.
struct show_window {
  bool counts_firings;
  value_state_descriptor<std::int64_t> firings{"firings"};

  template <class Window>
  void process(std::int64_t key, window_context<std::int64_t, Window>& context,
               const chosen_contents::accumulator& content, collector<fired>& out) {
    fired now{key, shown(context.window()).start, shown(context.window()).end, 0, {}};
    if (counts_firings) now.nth = ++context.window_state(firings).get_or_default();
    if (const auto* sum = std::get_if<0>(&content)) now.values = {*sum};
    if (const auto* folded = std::get_if<1>(&content)) now.values = {folded->value, folded->at};
    if (const auto* rows = std::get_if<2>(&content))
      for (const auto& row : *rows) now.values.push_back(row.value);
    if (content.index() == 2) std::sort(now.values.begin(), now.values.end());
    context.output(fired_aside, now);
    out.emit(std::move(now));
  }
  template <class Window>
  void clear(window_context<std::int64_t, Window>& context) {
    if (counts_firings) context.window_state(firings).clear();
  }

 private:
  static time_window shown(const time_window& w) { return w; }
  static time_window shown(const global_window&) { return {0, max_watermark}; }
};

/// The same for windows without state of their own.
struct apply_window {
  void operator()(std::int64_t key, const time_window& w,
                  const chosen_contents::accumulator& content, collector<fired>& out) const {
    fired now{key, w.start, w.end, 0, {}};
    if (const auto* sum = std::get_if<0>(&content)) now.values = {*sum};
    if (const auto* folded = std::get_if<1>(&content)) now.values = {folded->value, folded->at};
    out.emit(std::move(now));
  }
};

// -- the operators -----------------------------------------------------------------------------

template <class Assigner, class Trigger, class Contents, class Function>
auto settings(const chosen_windows& how, Assigner assigner, Trigger trigger, Contents contents,
              Function function) {
  return window_settings<event, std::int64_t event::*, Assigner, Trigger, Contents, Function>{
      &event::key, assigner, trigger, contents, function, how.job.lateness, late_events};
}

template <class Assigner>
operator_factory_ptr make_windows(const chosen_windows& how, Assigner assigner) {
  const chosen_trigger trigger(how.job);
  const processing_function<show_window> function{{how.counts_firings}};
  const chosen_contents contents{how.keeps};
  if (how.job.evictor == evicting::nothing)
    return make_window_operator<event, fired>(settings(how, assigner, trigger, contents, function));
  return make_window_operator<event, fired>(settings(
      how, assigner, trigger,
      evicted_contents<event, chosen_contents, plain_evictor>{contents, plain_evictor(how.job)},
      function));
}

}  // namespace

operator_factory_ptr make_operator(const chosen_windows& how) {
  const auto& job = how.job;
  if (how.is_sliced)
    return make_slicing_window_operator<event, fired>(settings(
        how,
        sliding_event_time_windows::of(milliseconds(job.size), milliseconds(job.slide),
                                       milliseconds(job.offset)),
        event_time_trigger(), chosen_contents{how.keeps}, applied_function<apply_window>{}));
  if (job.assigner == assigning::global) return make_windows(how, global_windows::create());
  if (job.is_event_time)
    return job.assigner == assigning::sessions
               ? make_windows(how, chosen_assigner<true, true>{job})
               : make_windows(how, chosen_assigner<true, false>{job});
  return job.assigner == assigning::sessions
             ? make_windows(how, chosen_assigner<false, true>{job})
             : make_windows(how, chosen_assigner<false, false>{job});
}

}  // namespace millrace::test
