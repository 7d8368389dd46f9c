#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "millrace/operators/time_window.hpp"

/// What windows mean, written for being obviously right and for nothing else: every step looks at
/// every window.
namespace millrace::test::reference {

enum class assigning : std::uint8_t { sliding, sessions, global };
enum class triggering : std::uint8_t { at_end, every_n, every_n_purging, continuously };

/// One window and all that is said about it. Tumbling windows slide by their size.
struct window_job {
  assigning assigner = assigning::sliding;
  triggering trigger = triggering::at_end;
  std::int64_t size = 10;       ///< Of sessions, the gap.
  std::int64_t gap_spread = 1;  ///< Gaps are up to so much longer, as the record says.
  std::int64_t slide = 10;
  std::int64_t offset = 0;
  std::int64_t lateness = 0;
  std::int64_t n = 2;                     ///< Of counting triggers.
  std::int64_t interval = 5;              ///< Of the continuous one.
  std::optional<std::size_t> keeps_last;  ///< An evictor.
};

struct event {
  std::int64_t key = 0;
  std::int64_t value = 0;
  timestamp_ms at = 0;

  auto operator<=>(const event&) const = default;
};

/// One firing.
struct fired {
  std::int64_t key = 0;
  timestamp_ms start = 0;
  timestamp_ms end = 0;
  std::vector<std::int64_t> values;

  auto operator<=>(const fired&) const = default;
};

class interpreter {
 public:
  explicit interpreter(window_job job) : job_(job) {}

  void row(const event& e) {
    auto& alive = windows_[e.key];
    bool is_in_none = true;
    bool has_window = false;
    for (const auto& assigned : windows_of(e)) {
      has_window = true;
      content c{assigned, {}, 0, {}};
      if (job_.assigner == assigning::sessions) {
        merge_into(alive, c);
      } else {
        for (std::size_t i = 0; i < alive.size(); ++i)
          if (alive[i].window == assigned) {
            c = alive[i];
            alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(i));
            break;
          }
      }
      if (is_over(c.window)) continue;
      is_in_none = false;
      c.values.push_back(e.value);
      on_row(e, c);
      alive.push_back(c);
    }
    if (is_in_none && has_window) late.push_back(e);
  }

  void watermark(timestamp_ms at) {
    const auto before = watermark_;
    watermark_ = at;
    for (auto& [key, alive] : windows_) {
      for (auto& c : alive) on_time(key, c, before);
      std::erase_if(alive, [&](const content& c) { return is_over(c.window); });
    }
  }

  std::vector<fired> firings;
  std::vector<event> late;

 private:
  struct content {
    time_window window;
    std::vector<std::int64_t> values;
    std::int64_t count = 0;
    std::optional<timestamp_ms> next;
  };

  static constexpr time_window everything{0, max_watermark};

  std::vector<time_window> windows_of(const event& e) const {
    if (job_.assigner == assigning::global) return {everything};
    if (job_.assigner == assigning::sessions)
      return {{e.at, e.at + job_.size + e.value % job_.gap_spread}};
    std::vector<time_window> all;
    // Every start that could be: no arithmetic to get wrong.
    for (auto start = e.at - job_.size + 1; start <= e.at; ++start)
      if ((((start - job_.offset) % job_.slide) + job_.slide) % job_.slide == 0)
        all.push_back({start, start + job_.size});
    return all;
  }

  bool is_over(const time_window& w) const {
    if (job_.assigner == assigning::global) return false;
    return saturating_add(w.end - 1, job_.lateness) <= watermark_;
  }

  /// Takes out all that touches, until nothing does.
  static void merge_into(std::vector<content>& alive, content& c) {
    for (std::size_t i = 0; i < alive.size();) {
      const auto& other = alive[i];
      if (other.window.start > c.window.end || other.window.end < c.window.start) {
        ++i;
        continue;
      }
      c.window = {std::min(c.window.start, other.window.start),
                  std::max(c.window.end, other.window.end)};
      c.values.insert(c.values.end(), other.values.begin(), other.values.end());
      c.count += other.count;
      if (other.next && (!c.next || *other.next < *c.next)) c.next = other.next;
      alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(i));
      i = 0;
    }
  }

  void on_row(const event& e, content& c) {
    const bool has_ended = c.window.end - 1 <= watermark_;
    switch (job_.trigger) {
      case triggering::at_end:
        if (has_ended) fire(e.key, c);
        return;
      case triggering::every_n:
      case triggering::every_n_purging:
        if (++c.count < job_.n) return;
        c.count = 0;
        fire(e.key, c);
        if (job_.trigger == triggering::every_n_purging) c.values.clear();
        return;
      case triggering::continuously:
        if (has_ended) return fire(e.key, c);
        if (!c.next) {
          // The first multiple of the interval beyond the record.
          auto next = e.at + 1;
          while (next % job_.interval != 0) ++next;
          c.next = std::min(next, c.window.end - 1);
        }
    }
  }

  void on_time(std::int64_t key, content& c, timestamp_ms before) {
    const auto end = c.window.end - 1;
    const bool ends_now = before < end && end <= watermark_ && !c.values.empty();
    if (job_.trigger == triggering::at_end && ends_now) fire(key, c);
    if (job_.trigger != triggering::continuously) return;
    for (; c.next && *c.next < end && *c.next <= watermark_;
         c.next = std::min(*c.next + job_.interval, end))
      fire(key, c);
    if (!ends_now) return;
    c.next.reset();
    fire(key, c);
  }

  void fire(std::int64_t key, content& c) {
    if (job_.keeps_last && c.values.size() > *job_.keeps_last)
      c.values.erase(c.values.begin(),
                     c.values.end() - static_cast<std::ptrdiff_t>(*job_.keeps_last));
    firings.push_back({key, c.window.start, c.window.end, c.values});
  }

  window_job job_;
  timestamp_ms watermark_ = no_timestamp;
  std::map<std::int64_t, std::vector<content>> windows_;
};

}  // namespace millrace::test::reference
