#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <typeinfo>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"

namespace millrace {

/// In which order results leave (Flink's AsyncDataStream.OutputMode).
enum class async_order : std::uint8_t {
  ordered,    ///< That of the records. A slow request delays those behind it.
  unordered,  ///< As they come, but never across a watermark.
};

/// What is asked again, how often and when (Flink's AsyncRetryStrategies). All of it happens within
/// the request's timeout.
class async_retry {
 public:
  /// Never.
  async_retry() = default;

  /// At most `retries_max` times after the first attempt, so long after each.
  static async_retry fixed_delay(std::uint32_t retries_max, std::chrono::milliseconds delay) {
    return exponential_backoff(retries_max, delay, delay, 1);
  }
  /// The first pause is `initial`, each further one `multiplier` times the one before, up to
  /// `most`.
  static async_retry exponential_backoff(std::uint32_t retries_max,
                                         std::chrono::milliseconds initial,
                                         std::chrono::milliseconds most, double multiplier = 2);

  /// Only errors for which this is true; without it, all.
  async_retry if_error(std::function<bool(const error&)> predicate) const;
  /// Also results with such a record; `Out` is what the function makes.
  template <class Out>
  async_retry if_result(std::function<bool(const Out&)> predicate) const {
    auto changed = *this;
    changed.on_result_ = [predicate = std::move(predicate)](const void* row) {
      return predicate(*static_cast<const Out*>(row));
    };
    changed.result_type_ = &typeid(Out);
    return changed;
  }
  /// Also results without any record.
  async_retry if_empty() const;

  // -- for the operator ------------------------------------------------------------------------

  /// Whether the predicate on results is for records of `Out`, or there is none.
  template <class Out>
  bool fits() const {
    return result_type_ == nullptr || *result_type_ == typeid(Out);
  }
  /// Whether to go on after `attempts` attempts, of which the last came to this.
  template <class Out>
  bool wants_another(std::uint32_t attempts, const result<std::vector<Out>>& outcome) const {
    if (attempts > retries_max_) return false;
    if (!outcome) return !on_error_ || on_error_(outcome.error());
    if (outcome->empty()) return on_empty_;
    return on_result_ && std::any_of(outcome->begin(), outcome->end(),
                                     [&](const Out& row) { return on_result_(&row); });
  }
  /// The pause after so many attempts, at least 1.
  std::chrono::milliseconds delay_after(std::uint32_t attempts) const;
  /// Refuses numbers that make no sense.
  status check() const;

 private:
  std::uint32_t retries_max_ = 0;
  std::chrono::milliseconds initial_{0};
  std::chrono::milliseconds most_{0};
  double multiplier_ = 1;
  bool on_empty_ = false;
  std::function<bool(const error&)> on_error_;
  std::function<bool(const void*)> on_result_;
  const std::type_info* result_type_ = nullptr;
};

/// How an operator asks for results, per subtask.
struct async_options {
  /// For one record, from the first attempt to the last result; 0 for none.
  std::chrono::milliseconds timeout{0};
  /// Records whose result was not emitted yet. With so many the operator takes no more.
  std::uint32_t capacity = 100;
  /// Blocking calls at one time. Those of all subtasks of a node share `taskmanager.io.threads`.
  std::uint32_t threads = 16;
  /// Whether and when a request is made again; the default is never.
  async_retry retry{};
};

/// Refuses what makes no sense.
status check_async_options(const async_options& options);

}  // namespace millrace
