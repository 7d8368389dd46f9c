#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/operators/async_options.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

/// What an async operator has under way: which request starts when, which is overdue, and what may
/// leave next. Plain decisions without the requests themselves (the ordering is that of Flink's
/// OrderedStreamElementQueue and UnorderedStreamElementQueue).
///
/// Requests and control elements are arranged in segments that leave one after the other; inside a
/// segment requests leave as they complete. Unordered, watermarks and statuses begin segments;
/// ordered, each request is a segment of its own.
class async_schedule {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using request_id = std::uint64_t;  ///< 1, 2, 3, … in the order of add_request().
  using control = std::variant<watermark, stream_status>;

  async_schedule(async_order order, std::size_t capacity, std::chrono::milliseconds timeout)
      : order_(order), capacity_(capacity), timeout_(timeout) {}

  /// Behind everything that is here.
  request_id add_request();
  void add_control(control what);

  /// The request to start now, if any: one whose retry is due, or the next one while there are less
  /// than `capacity` under way. Its time begins to run with its first start.
  std::optional<request_id> next_to_start(time_point now);
  void retry_at(request_id which, time_point when);
  void complete(request_id which);
  /// A request whose time is up, each once. The caller completes it.
  std::optional<request_id> next_overdue(time_point now);

  using departure = std::variant<request_id, watermark, stream_status>;
  /// What leaves next, if anything may. A request that has left is forgotten.
  std::optional<departure> next_to_leave();

  /// Nothing more should be added. What was added all the same waits to be started.
  bool is_full() const noexcept { return requests_.size() >= capacity_; }
  bool is_empty() const noexcept { return segments_.empty(); }
  /// When next_to_start or next_overdue has something that it has not now.
  std::optional<time_point> next_event();

 private:
  enum class stage : std::uint8_t {
    waiting,   ///< For its turn.
    running,   ///< Asked for.
    pausing,   ///< Between two attempts.
    complete,  ///< Waits for what leaves before it.
  };
  struct request {
    std::uint64_t segment = 0;
    stage at = stage::waiting;
    time_point retry{};
  };
  struct segment {
    std::optional<control> first;
    std::size_t incomplete = 0;
    std::vector<request_id> complete;  // in the order of completion
    std::size_t left = 0;              // of `complete`
  };

  void drop_complete_deadlines();

  async_order order_;
  std::size_t capacity_;
  std::chrono::milliseconds timeout_;
  std::map<request_id, request> requests_;
  std::deque<segment> segments_;
  std::uint64_t first_segment_ = 0;  // number of segments_.front()
  request_id last_ = 0;
  request_id next_waiting_ = 1;
  std::size_t started_ = 0;                                  // and not left
  std::deque<std::pair<time_point, request_id>> deadlines_;  // in time's order: one timeout for all
  std::set<std::pair<time_point, request_id>> retries_;
};

}  // namespace millrace
