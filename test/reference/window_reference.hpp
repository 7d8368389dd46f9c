#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/operators/time_window.hpp"

/// What windows mean, written for being obviously right and for nothing else: every step looks at
/// every window.
namespace millrace::test::reference {

enum class assigning : std::uint8_t { sliding, sessions, global };
enum class triggering : std::uint8_t {
  at_end,        ///< Of event time.
  at_clock_end,  ///< Of the wall clock.
  continuously,
  continuously_by_clock,
  every_n,
  by_delta,
};
enum class evicting : std::uint8_t { nothing, by_count, by_time, by_delta };

/// One window and all that is said about it. Tumbling windows slide by their size.
struct window_job {
  assigning assigner = assigning::sliding;
  bool is_event_time = true;    ///< Else windows are of processing time. Not of global ones.
  std::int64_t size = 10;       ///< Of sessions, the gap.
  std::int64_t gap_spread = 1;  ///< Gaps are up to so much longer, as the record says.
  std::int64_t slide = 10;
  std::int64_t offset = 0;
  std::int64_t lateness = 0;

  triggering trigger = triggering::at_end;
  std::int64_t n = 2;         ///< Of counting triggers.
  std::int64_t interval = 5;  ///< Of continuous ones.
  std::int64_t delta = 5;     ///< Of values, for delta triggers.
  bool purges = false;        ///< With a timeout, what is inside of it does.
  std::optional<std::int64_t> timeout;
  bool timeout_resets = false;
  bool timeout_clears = true;
  bool timeout_purges = false;  ///< Whatever fires.

  evicting evictor = evicting::nothing;
  bool evicts_after = false;
  std::int64_t keeps = 1;  ///< Records, milliseconds, or difference of values.
};

struct event {
  std::int64_t key = 0;
  std::int64_t value = 0;
  timestamp_ms at = 0;

  auto operator<=>(const event&) const = default;
};

/// One firing.
struct firing {
  std::int64_t key = 0;
  time_window window;
  std::int64_t nth = 0;     ///< Of the window, from 1.
  std::vector<event> rows;  ///< In the order in which the window has them.
};

class interpreter {
 public:
  /// `clock` is the wall clock's time.
  explicit interpreter(window_job job, timestamp_ms clock = 0) : job_(job), clock_(clock) {}

  void row(const event& e) {
    auto& alive = windows_[e.key];
    bool is_in_none = true;
    bool has_window = false;
    for (const auto& assigned : windows_of(e)) {
      has_window = true;
      content& c =
          job_.assigner == assigning::sessions ? merged(alive, assigned) : found(alive, assigned);
      if (!is_over(c.window)) {
        is_in_none = false;
        add(e, c);
      }
      std::erase_if(alive, [&](const content& w) { return is_over(w.window); });
    }
    if (is_in_none && has_window) late.push_back(e);
  }

  /// Event time is `at` now.
  void watermark(timestamp_ms at) {
    const auto before = std::exchange(watermark_, at);
    for (auto& [key, alive] : windows_) {
      for (auto& c : alive) on_event_time(key, c, before);
      std::erase_if(alive, [&](const content& c) { return is_over(c.window); });
    }
  }

  /// The wall clock shows `now`. A time is over once the clock shows the next one.
  void clock(timestamp_ms now) {
    while (clock_ < now) {
      const auto over = clock_++;
      for (auto& [key, alive] : windows_) {
        for (auto& c : alive) on_clock(key, c, over);
        std::erase_if(alive, [&](const content& c) { return is_over(c.window); });
      }
    }
  }

  /// The input is over: time comes to its end, that of the clock, too, for which windows fire only
  /// once.
  void end() {
    watermark(max_watermark);
    for (auto& [key, alive] : windows_)
      for (auto& c : alive)
        if (c.is_due_at_clock_end || (c.timeout && *c.timeout <= last_of(c.window)) ||
            (c.next && job_.trigger == triggering::continuously_by_clock))
          fire(key, c, true);
    windows_.clear();
  }

  std::vector<firing> firings;
  std::vector<event> late;

 private:
  struct content {
    explicit content(const time_window& w) : window(w) {}

    time_window window;
    std::vector<event> rows;
    std::int64_t firings = 0;
    // What the trigger knows.
    std::int64_t count = 0;
    std::optional<event> last;
    std::optional<timestamp_ms> next;
    bool is_due_at_clock_end = false;
    std::optional<timestamp_ms> timeout;
    bool knows_nothing = true;  ///< It has been cleared, and no record came since.
  };

  static constexpr time_window everything{0, max_watermark};

  bool is_global() const { return job_.assigner == assigning::global; }
  timestamp_ms last_of(const time_window& w) const {
    return is_global() ? max_watermark : w.end - 1;
  }
  bool is_over(const time_window& w) const {
    if (is_global()) return false;
    if (!job_.is_event_time) return w.end <= clock_;
    return saturating_add(w.end - 1, job_.lateness) <= watermark_;
  }

  std::vector<time_window> windows_of(const event& e) const {
    if (is_global()) return {everything};
    const auto at = job_.is_event_time ? e.at : clock_;
    if (job_.assigner == assigning::sessions)
      return {{at, at + job_.size + e.value % job_.gap_spread}};
    std::vector<time_window> all;
    // Every start that could be: no arithmetic to get wrong.
    for (auto start = at - job_.size + 1; start <= at; ++start)
      if ((((start - job_.offset) % job_.slide) + job_.slide) % job_.slide == 0)
        all.push_back({start, start + job_.size});
    return all;
  }

  static content& found(std::vector<content>& alive, const time_window& w) {
    for (auto& c : alive)
      if (c.window == w) return c;
    return alive.emplace_back(w);
  }

  /// All that touches becomes one, behind the others. Rows stay in the order of their sessions.
  content& merged(std::vector<content>& alive, const time_window& w) {
    content all(w);
    std::vector<content> others;
    for (auto& c : alive) {
      if (c.window.start > w.end || c.window.end < w.start) {
        others.push_back(c);
        continue;
      }
      if (c.window.start <= w.start && w.end <= c.window.end) return c;
      all.window = {std::min(all.window.start, c.window.start),
                    std::max(all.window.end, c.window.end)};
      all.rows.insert(all.rows.end(), c.rows.begin(), c.rows.end());
      all.count += c.count;
      all.next = earlier(all.next, c.next);
      all.timeout = earlier(all.timeout, c.timeout);
      all.knows_nothing &= c.knows_nothing;
      all.is_due_at_clock_end = true;
    }
    if (all.window.end - 1 < clock_) all.is_due_at_clock_end = false;
    if (job_.trigger != triggering::at_clock_end) all.is_due_at_clock_end = false;
    alive = others;
    return alive.emplace_back(all);
  }
  static std::optional<timestamp_ms> earlier(std::optional<timestamp_ms> a,
                                             std::optional<timestamp_ms> b) {
    return !a || (b && *b < *a) ? b : a;
  }

  // -- when windows fire --------------------------------------------------------------------

  void add(const event& e, content& c) {
    const bool is_first = c.rows.empty() || (job_.timeout && !c.timeout);
    c.rows.push_back(e);
    if (fires_at(e, c, is_first)) {
      fire(e.key, c, true);
      if (job_.timeout) clear(c);
      return;
    }
    c.knows_nothing = false;
    if (job_.timeout_resets) c.timeout.reset();
    if (job_.timeout && !c.timeout) c.timeout = clock_ + *job_.timeout;
  }

  bool fires_at(const event& e, content& c, bool is_first) {
    const auto last = last_of(c.window);
    const bool has_ended = last <= watermark_;
    switch (job_.trigger) {
      case triggering::at_end:
        return has_ended;
      case triggering::at_clock_end:
        if (is_first || last < clock_) c.is_due_at_clock_end = true;
        return false;
      case triggering::continuously:
        if (has_ended) return true;
        if (!c.next) c.next = std::min(multiple_beyond(e.at), last);
        return false;
      case triggering::continuously_by_clock:
        if (job_.is_event_time && has_ended) return true;
        if (!c.next) c.next = multiple_beyond(clock_);
        if (!job_.is_event_time) c.next = std::min(*c.next, last);
        return false;
      case triggering::every_n:
        if (++c.count < job_.n) return false;
        c.count = 0;
        return true;
      case triggering::by_delta:
        if (!c.last) c.last = e;
        if (e.value - c.last->value <= job_.delta) return false;
        c.last = e;
        return true;
    }
    return false;
  }
  timestamp_ms multiple_beyond(timestamp_ms at) const {
    do {
      ++at;
    } while (at % job_.interval != 0);
    return at;
  }

  void on_event_time(std::int64_t key, content& c, timestamp_ms before) {
    if (job_.timeout && c.knows_nothing) return;
    const auto last = last_of(c.window);
    const bool ends_now = before < last && last <= watermark_;
    const auto fire_now = [&] {
      fire(key, c, true);
      c.timeout.reset();
    };
    if (job_.trigger == triggering::continuously) {
      while (c.next && *c.next < last && *c.next <= watermark_) {
        c.next = std::min(*c.next + job_.interval, last);
        fire_now();
        if (watermark_ == max_watermark && is_global()) break;
      }
    }
    const bool fires_at_end =
        job_.trigger == triggering::at_end || job_.trigger == triggering::continuously ||
        (job_.trigger == triggering::continuously_by_clock && job_.is_event_time);
    if (!ends_now || !fires_at_end) return;
    c.next.reset();
    fire_now();
  }

  /// The time `over` is over on the clock.
  void on_clock(std::int64_t key, content& c, timestamp_ms over) {
    const auto last = last_of(c.window);
    std::optional<timestamp_ms> due;
    if (c.is_due_at_clock_end && last <= over) {
      c.is_due_at_clock_end = false;
      due = last;
    }
    if (job_.trigger == triggering::continuously_by_clock && c.next && *c.next <= over) {
      due = *c.next;
      c.next = *c.next + job_.interval;
      if (!job_.is_event_time) c.next = std::min(*c.next, last);
    }
    const bool was_timeout = c.timeout && *c.timeout <= over;
    if (due && (!was_timeout || *due < *c.timeout)) {
      fire(key, c, true);
      c.timeout.reset();
    } else if (was_timeout) {
      fire(key, c, due.has_value());
      c.timeout.reset();
      if (job_.timeout_clears) clear(c);
    }
  }

  static void clear(content& c) {
    c.count = 0;
    c.last.reset();
    c.next.reset();
    c.is_due_at_clock_end = false;
    c.timeout.reset();
    c.knows_nothing = true;
  }

  // -- what they emit -----------------------------------------------------------------------

  void fire(std::int64_t key, content& c, bool by_inner_trigger) {
    if (!job_.evicts_after) evict(c.rows);
    if (!c.rows.empty()) firings.push_back({key, c.window, ++c.firings, c.rows});
    if (job_.evicts_after) evict(c.rows);
    if (job_.timeout_purges || (job_.purges && by_inner_trigger)) c.rows.clear();
  }

  void evict(std::vector<event>& rows) const {
    if (rows.empty()) return;
    timestamp_ms latest = rows.front().at;
    for (const auto& row : rows) latest = std::max(latest, row.at);
    const auto newest = rows.back().value;
    switch (job_.evictor) {
      case evicting::nothing:
        return;
      case evicting::by_count:
        while (static_cast<std::int64_t>(rows.size()) > job_.keeps) rows.erase(rows.begin());
        return;
      case evicting::by_time:
        std::erase_if(rows, [&](const event& row) { return row.at <= latest - job_.keeps; });
        return;
      case evicting::by_delta:
        std::erase_if(rows, [&](const event& row) { return newest - row.value >= job_.keeps; });
    }
  }

  window_job job_;
  timestamp_ms clock_;
  timestamp_ms watermark_ = no_timestamp;
  std::map<std::int64_t, std::vector<content>> windows_;
};

}  // namespace millrace::test::reference
