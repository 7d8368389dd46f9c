#include "millrace/operators/async_schedule.hpp"

#include "millrace/core/assert.hpp"

namespace millrace {

async_schedule::request_id async_schedule::add_request() {
  if (segments_.empty() || order_ == async_order::ordered) segments_.emplace_back();
  ++segments_.back().incomplete;
  requests_[++last_].segment = first_segment_ + segments_.size() - 1;
  return last_;
}

void async_schedule::add_control(control what) {
  segments_.emplace_back();
  segments_.back().first = what;
}

std::optional<async_schedule::request_id> async_schedule::next_to_start(time_point now) {
  if (!retries_.empty() && retries_.begin()->first <= now) {
    const auto which = retries_.begin()->second;
    retries_.erase(retries_.begin());
    requests_.at(which).at = stage::running;
    return which;
  }
  if (started_ >= capacity_ || next_waiting_ > last_) return std::nullopt;
  const auto which = next_waiting_++;
  requests_.at(which).at = stage::running;
  ++started_;
  if (timeout_.count() > 0) deadlines_.emplace_back(now + timeout_, which);
  return which;
}

void async_schedule::retry_at(request_id which, time_point when) {
  auto& r = requests_.at(which);
  MILLRACE_ASSERT(r.at == stage::running, "only a running request is tried again");
  r.at = stage::pausing;
  r.retry = when;
  retries_.emplace(when, which);
}

void async_schedule::complete(request_id which) {
  auto& r = requests_.at(which);
  MILLRACE_ASSERT(r.at == stage::running || r.at == stage::pausing,
                  "a request completes once, after its start");
  if (r.at == stage::pausing) retries_.erase({r.retry, which});
  r.at = stage::complete;
  auto& its = segments_[r.segment - first_segment_];
  --its.incomplete;
  its.complete.push_back(which);
}

std::optional<async_schedule::request_id> async_schedule::next_overdue(time_point now) {
  drop_complete_deadlines();
  if (deadlines_.empty() || deadlines_.front().first > now) return std::nullopt;
  const auto which = deadlines_.front().second;
  deadlines_.pop_front();
  return which;
}

void async_schedule::drop_complete_deadlines() {
  while (!deadlines_.empty()) {
    const auto found = requests_.find(deadlines_.front().second);
    if (found != requests_.end() && found->second.at != stage::complete) return;
    deadlines_.pop_front();
  }
}

std::optional<async_schedule::departure> async_schedule::next_to_leave() {
  while (!segments_.empty()) {
    auto& s = segments_.front();
    if (s.first) {
      const auto first = *std::exchange(s.first, std::nullopt);
      return std::visit([](auto what) { return departure(what); }, first);
    }
    if (s.left < s.complete.size()) {
      const auto which = s.complete[s.left++];
      requests_.erase(which);
      --started_;
      return which;
    }
    if (s.incomplete > 0) return std::nullopt;
    segments_.pop_front();
    ++first_segment_;
  }
  return std::nullopt;
}

std::optional<async_schedule::time_point> async_schedule::next_event() {
  drop_complete_deadlines();
  std::optional<time_point> next;
  if (!deadlines_.empty()) next = deadlines_.front().first;
  if (!retries_.empty() && (!next || retries_.begin()->first < *next))
    next = retries_.begin()->first;
  return next;
}

}  // namespace millrace
