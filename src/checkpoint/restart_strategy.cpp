#include "millrace/checkpoint/restart_strategy.hpp"

#include <algorithm>
#include <deque>
#include <random>

#include "millrace/core/human_units.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

using std::chrono::milliseconds;

class no_restart final : public restart_strategy {
 public:
  std::optional<milliseconds> on_failure(std::int64_t) override { return std::nullopt; }
  std::string description() const override { return "none"; }
};

class fixed_delay_restart final : public restart_strategy {
 public:
  fixed_delay_restart(std::uint32_t attempts, milliseconds delay)
      : attempts_(attempts), delay_(delay) {}

  std::optional<milliseconds> on_failure(std::int64_t) override {
    if (used_ >= attempts_) return std::nullopt;
    ++used_;
    return delay_;
  }
  std::string description() const override {
    return "fixed-delay (" + std::to_string(attempts_) + " attempts, " + format_duration(delay_) +
           ")";
  }

 private:
  std::uint32_t attempts_;
  milliseconds delay_;
  std::uint32_t used_ = 0;
};

class failure_rate_restart final : public restart_strategy {
 public:
  failure_rate_restart(std::uint32_t failures_max, milliseconds interval, milliseconds delay)
      : failures_max_(failures_max), interval_(interval), delay_(delay) {}

  std::optional<milliseconds> on_failure(std::int64_t now_ms) override {
    while (!failures_.empty() && failures_.front() <= now_ms - interval_.count())
      failures_.pop_front();
    failures_.push_back(now_ms);
    if (failures_.size() > failures_max_) return std::nullopt;
    return delay_;
  }
  std::string description() const override {
    return "failure-rate (" + std::to_string(failures_max_) + " failures in " +
           format_duration(interval_) + ", " + format_duration(delay_) + ")";
  }

 private:
  std::uint32_t failures_max_;
  milliseconds interval_;
  milliseconds delay_;
  std::deque<std::int64_t> failures_;  // when they were, of the last interval
};

class exponential_delay_restart final : public restart_strategy {
 public:
  exponential_delay_restart(const exponential_delay& how, std::uint64_t seed)
      : how_(how), random_(seed), next_ms_(static_cast<double>(how.initial.count())) {}

  std::optional<milliseconds> on_failure(std::int64_t now_ms) override {
    if (over_at_ms_ && now_ms - *over_at_ms_ >= how_.reset_after.count()) {
      next_ms_ = static_cast<double>(how_.initial.count());
      used_ = 0;
    }
    if (how_.attempts_max != 0 && used_ >= how_.attempts_max) return std::nullopt;
    ++used_;
    const double by = std::uniform_real_distribution<>(-how_.jitter, how_.jitter)(random_);
    const auto most = static_cast<double>(how_.max.count());
    const auto pause = std::clamp(next_ms_ * (1 + by),
                                  std::min(static_cast<double>(how_.initial.count()), most), most);
    next_ms_ = std::min(next_ms_ * how_.multiplier, most);
    const milliseconds rounded(static_cast<std::int64_t>(pause));
    over_at_ms_ = now_ms + rounded.count();
    return rounded;
  }
  std::string description() const override {
    return "exponential-delay (" + format_duration(how_.initial) + " to " +
           format_duration(how_.max) +
           (how_.attempts_max == 0 ? std::string()
                                   : ", " + std::to_string(how_.attempts_max) + " attempts") +
           ")";
  }

 private:
  exponential_delay how_;
  std::mt19937_64 random_;
  double next_ms_;
  std::uint32_t used_ = 0;                  // since it last began anew
  std::optional<std::int64_t> over_at_ms_;  // the end of the last pause
};

}  // namespace

std::unique_ptr<restart_strategy> make_no_restart() {
  return std::make_unique<no_restart>();
}

std::unique_ptr<restart_strategy> make_fixed_delay_restart(std::uint32_t attempts,
                                                           milliseconds delay) {
  return std::make_unique<fixed_delay_restart>(attempts, delay);
}

std::unique_ptr<restart_strategy> make_failure_rate_restart(std::uint32_t failures_max,
                                                            milliseconds interval,
                                                            milliseconds delay) {
  return std::make_unique<failure_rate_restart>(failures_max, interval, delay);
}

std::unique_ptr<restart_strategy> make_exponential_delay_restart(const exponential_delay& how,
                                                                 std::uint64_t seed) {
  return std::make_unique<exponential_delay_restart>(how, seed);
}

std::unique_ptr<restart_strategy> make_restart_strategy(const configuration& config,
                                                        bool is_checkpointed, std::uint64_t seed) {
  auto type = config.get(options::restart_strategy_type);
  if (type == "default") type = is_checkpointed ? "exponential-delay" : "none";
  if (type == "fixed-delay")
    return make_fixed_delay_restart(config.get(options::restart_fixed_attempts),
                                    config.get(options::restart_fixed_delay));
  if (type == "failure-rate")
    return make_failure_rate_restart(config.get(options::restart_failure_rate_max),
                                     config.get(options::restart_failure_rate_interval),
                                     config.get(options::restart_failure_rate_delay));
  if (type == "exponential-delay")
    return make_exponential_delay_restart(
        {.initial = config.get(options::restart_initial_backoff),
         .max = config.get(options::restart_max_backoff),
         .multiplier = config.get(options::restart_backoff_multiplier).value(),
         .jitter = config.get(options::restart_jitter).value(),
         .reset_after = config.get(options::restart_reset_threshold),
         .attempts_max = config.get(options::restart_attempts_max)},
        seed);
  return make_no_restart();
}

}  // namespace millrace
