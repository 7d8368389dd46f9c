#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

/// Jobs whose records come one a second, each of them when all before it has been dealt with: what
/// comes out does not depend on who is faster, whatever goes by event time or by the clock.
namespace millrace::test {

/// A value that a sensor sent, by which stream if there are two.
struct reading {
  std::string sensor;
  std::int64_t value = 0;
  std::int64_t at = 0;    ///< In event time.
  std::int64_t mark = 0;  ///< The watermark behind it; 0 for none.
  std::int64_t stream = 0;

  auto operator<=>(const reading&) const = default;
};

/// Watermarks are where the readings say.
struct marks {
  void on_event(const reading& r, timestamp_ms, watermark_output& out) const {
    if (r.mark > 0) out.emit_watermark(r.mark);
  }
  void on_periodic_emit(watermark_output&) const {}
};

/// Every operator has one subtask.
inline stream_environment one_task_at_a_time() {
  return stream_environment({}, std::make_shared<local_runner>());
}

/// What the clock of a job shows when its first paced reading comes; the others follow each second.
inline constexpr timestamp_ms first_second = 3'601'000;

inline data_stream<reading> paced(stream_environment& env, std::vector<reading> rows) {
  const auto count = rows.size();
  return env
      .from_generator([rows = std::move(rows)](std::uint64_t i) { return rows[i]; },
                      {.count = count, .per_second = 1})
      .assign_timestamps_and_watermarks(
          watermark_strategy<reading>::for_generator(marks()).with_timestamp_assigner(
              &reading::at));
}

/// What comes of a stream when its job is executed.
template <class T>
std::shared_ptr<const std::vector<T>> kept(const data_stream<T>& stream) {
  auto rows = std::make_shared<std::vector<T>>();
  stream.add_sink([rows](const T& row) { rows->push_back(row); });
  return rows;
}

}  // namespace millrace::test
