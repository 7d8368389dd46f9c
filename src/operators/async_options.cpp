#include "millrace/operators/async_options.hpp"

#include <cmath>
#include <string>

namespace millrace {

async_retry async_retry::exponential_backoff(std::uint32_t retries_max,
                                             std::chrono::milliseconds initial,
                                             std::chrono::milliseconds most, double multiplier) {
  async_retry made;
  made.retries_max_ = retries_max;
  made.initial_ = initial;
  made.most_ = most;
  made.multiplier_ = multiplier;
  return made;
}

async_retry async_retry::if_error(std::function<bool(const error&)> predicate) const {
  auto changed = *this;
  changed.on_error_ = std::move(predicate);
  return changed;
}

async_retry async_retry::if_empty() const {
  auto changed = *this;
  changed.on_empty_ = true;
  return changed;
}

std::chrono::milliseconds async_retry::delay_after(std::uint32_t attempts) const {
  const auto grown = static_cast<double>(initial_.count()) * std::pow(multiplier_, attempts - 1);
  // Compared before it is converted: it may be beyond any integer.
  if (grown >= static_cast<double>(most_.count())) return most_;
  return std::chrono::milliseconds(static_cast<std::int64_t>(grown));
}

status async_retry::check() const {
  if (initial_.count() < 0 || most_ < initial_)
    return fail(errc::invalid_argument,
                "the pauses between retries must be from 0 up, and the longest no shorter than the "
                "first, but are " +
                    std::to_string(initial_.count()) + " and " + std::to_string(most_.count()) +
                    " ms");
  if (!(multiplier_ >= 1))
    return fail(errc::invalid_argument,
                "the multiplier of the pauses between retries must be at "
                "least 1, but is " +
                    std::to_string(multiplier_));
  return {};
}

status check_async_options(const async_options& options) {
  if (options.capacity == 0)
    return fail(errc::invalid_argument, "the capacity must be at least 1 record");
  if (options.threads == 0)
    return fail(errc::invalid_argument, "the number of threads must be at least 1");
  if (options.timeout.count() < 0)
    return fail(errc::invalid_argument, "the timeout must be from 0 up, but is " +
                                            std::to_string(options.timeout.count()) + " ms");
  return options.retry.check();
}

}  // namespace millrace
