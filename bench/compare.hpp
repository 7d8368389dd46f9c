#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace millrace::bench {

/// Wall-clock seconds of one call.
template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// What two ways to do the same work took.
struct comparison {
  double reference_seconds = 0;  ///< Median.
  double engine_seconds = 0;     ///< Median.
  double ratio = 0;              ///< Median over rounds of reference / engine: 1 is equal speed.
  double ratio_min = 0;
  double ratio_max = 0;
};

/// Calls both in turn, `rounds` times, so that a machine whose speed drifts does not favour one of
/// them. Each returns the seconds that the same amount of work has taken it.
template <class Reference, class Engine>
comparison compare_measured(int rounds, Reference&& reference, Engine&& engine) {
  std::vector<double> references, engines, ratios;
  for (int round = 0; round < rounds; ++round) {
    const double r = reference();
    const double e = engine();
    references.push_back(r);
    engines.push_back(e);
    ratios.push_back(r / e);
  }
  return {median(references), median(engines), median(ratios),
          *std::min_element(ratios.begin(), ratios.end()),
          *std::max_element(ratios.begin(), ratios.end())};
}

/// The same for work that is measured as a whole, after one round that does not count.
template <class Reference, class Engine>
comparison compare(int rounds, Reference&& reference, Engine&& engine) {
  reference();
  engine();
  return compare_measured(
      rounds, [&] { return seconds_of(reference); }, [&] { return seconds_of(engine); });
}

/// One line: both speeds in `unit` per second, the ratio, and the goal it is held against (0 for
/// none). Whether that is met.
[[nodiscard]] inline bool print(const std::string& name, const comparison& c, double amount,
                                const char* unit, double goal) {
  std::printf(
      "%-42s loop %8.1f %s/s   engine %8.1f %s/s   ratio %.2f (%.2f to %.2f), goal %.2f%s\n",
      name.c_str(), amount / c.reference_seconds, unit, amount / c.engine_seconds, unit, c.ratio,
      c.ratio_min, c.ratio_max, goal, c.ratio >= goal ? "" : "  MISSED");
  std::fflush(stdout);
  return c.ratio >= goal;
}

/// What a benchmark ends with; 1 is for those that could not be run.
constexpr int exit_code(bool goals_are_met) noexcept {
  return goals_are_met ? 0 : 2;
}

inline void print_machine() {
  std::printf("machine: %u hardware threads; medians, ratio = engine speed / loop speed\n",
              std::thread::hardware_concurrency());
}

}  // namespace millrace::bench
