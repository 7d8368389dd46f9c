#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "millrace/core/codec.hpp"

namespace millrace {

/// A window that is alive, and the namespace in which its content lies: that of the first of the
/// windows it was merged from, so that merging moves as little as possible.
template <class Window>
struct merging_window {
  Window window{};
  Window state{};
};

/// The windows of one key that have not ended (Flink's MergingWindowSet). They neither overlap nor
/// touch.
template <class Window>
class merging_windows {
 public:
  using list = std::vector<merging_window<Window>>;

  explicit merging_windows(list& alive) : alive_(alive) {}

  /// Null if there is no such window.
  const Window* state_of(const Window& window) const noexcept {
    for (const auto& w : alive_)
      if (w.window == window) return &w.state;
    return nullptr;
  }
  void retire(const Window& window) {
    std::erase_if(alive_, [&](const auto& w) { return w.window == window; });
  }

  /// Adds a window and returns the one it is part of now. If others became part of that one,
  /// `merged(result, windows, state, states)` is told first: the windows that are no more, where
  /// the content is now, and where that of the others was.
  template <class OnMerged>
  Window add(const Window& added, OnMerged&& merged) {
    Window result = added;
    std::vector<Window> windows, states;
    for (const auto& w : alive_) {
      if (!w.window.intersects(added)) continue;
      result = result.cover(w.window);
      windows.push_back(w.window);
      states.push_back(w.state);
    }
    if (windows.empty()) {
      alive_.push_back({added, added});
      return added;
    }
    if (windows.size() == 1 && windows.front() == result) return result;
    const Window state = states.front();
    states.erase(states.begin());
    std::erase_if(alive_, [&](const auto& w) { return w.window.intersects(added); });
    alive_.push_back({result, state});
    merged(std::as_const(result), std::span<const Window>(windows), std::as_const(state),
           std::span<const Window>(states));
    return result;
  }

 private:
  list& alive_;
};

}  // namespace millrace
