#include "millrace/operators/async_schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace async_schedule_test {

using namespace millrace;
using namespace std::chrono_literals;

namespace {

using id = async_schedule::request_id;
constexpr async_schedule::time_point start{std::chrono::hours(1)};

/// Everything that leaves now: ids, and watermarks as negative numbers.
std::vector<std::int64_t> leaving(async_schedule& schedule) {
  std::vector<std::int64_t> all;
  while (const auto next = schedule.next_to_leave()) {
    if (const auto* request = std::get_if<id>(&*next))
      all.push_back(static_cast<std::int64_t>(*request));
    else
      all.push_back(-std::get<watermark>(*next).at);
  }
  return all;
}

void start_all(async_schedule& schedule) {
  while (schedule.next_to_start(start)) {
  }
}

using list = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("ordered requests leave in the order in which they came") {
  async_schedule schedule(async_order::ordered, 10, 0ms);
  for (int i = 0; i < 3; ++i) schedule.add_request();
  schedule.add_control(watermark{50});
  schedule.add_request();
  start_all(schedule);
  schedule.complete(2);
  schedule.complete(4);
  CHECK(leaving(schedule).empty());
  schedule.complete(1);
  CHECK(leaving(schedule) == list{1, 2});
  schedule.complete(3);
  CHECK(leaving(schedule) == list{3, -50, 4});
  CHECK(schedule.is_empty());
}

TEST_CASE("unordered requests leave as they complete, but not across a watermark") {
  async_schedule schedule(async_order::unordered, 10, 0ms);
  schedule.add_control(watermark{10});
  CHECK(leaving(schedule) == list{-10});
  for (int i = 0; i < 3; ++i) schedule.add_request();
  schedule.add_control(watermark{50});
  for (int i = 0; i < 2; ++i) schedule.add_request();
  start_all(schedule);
  schedule.complete(5);
  schedule.complete(3);
  CHECK(leaving(schedule) == list{3});
  schedule.complete(1);
  CHECK(leaving(schedule) == list{1});
  schedule.complete(2);
  CHECK(leaving(schedule) == list{2, -50, 5});
  schedule.complete(4);
  CHECK(leaving(schedule) == list{4});
  CHECK(schedule.is_empty());
}

TEST_CASE("as many requests run as the capacity says, also after one was tried again") {
  async_schedule schedule(async_order::unordered, 2, 0ms);
  for (int i = 0; i < 4; ++i) schedule.add_request();
  CHECK(schedule.is_full());
  CHECK(schedule.next_to_start(start) == id{1});
  CHECK(schedule.next_to_start(start) == id{2});
  CHECK_FALSE(schedule.next_to_start(start));
  schedule.retry_at(1, start + 5s);
  CHECK(schedule.next_event() == start + 5s);
  CHECK_FALSE(schedule.next_to_start(start + 4s));
  CHECK(schedule.next_to_start(start + 5s) == id{1});
  schedule.complete(2);
  CHECK_FALSE(schedule.next_to_start(start + 5s));  // it has not left
  CHECK(leaving(schedule) == list{2});
  CHECK(schedule.next_to_start(start + 5s) == id{3});
  CHECK(schedule.is_full());
}

TEST_CASE("a request is overdue from its first start on, whatever it does meanwhile") {
  async_schedule schedule(async_order::ordered, 2, 1s);
  for (int i = 0; i < 3; ++i) schedule.add_request();
  start_all(schedule);
  CHECK(schedule.next_event() == start + 1s);
  schedule.complete(2);
  schedule.retry_at(1, start + 700ms);
  CHECK(schedule.next_to_start(start + 700ms) == id{1});
  schedule.retry_at(1, start + 1400ms);
  CHECK_FALSE(schedule.next_overdue(start + 999ms));
  CHECK(schedule.next_overdue(start + 1s) == id{1});
  schedule.complete(1);
  CHECK_FALSE(schedule.next_overdue(start + 1h));
  CHECK_FALSE(schedule.next_event());
  CHECK(leaving(schedule) == list{1, 2});
  CHECK(schedule.next_to_start(start + 2s) == id{3});
  CHECK(schedule.next_event() == start + 3s);
}

TEST_CASE("what may leave agrees with a list of everything, for random histories") {
  struct item {
    std::int64_t what;  // as `leaving` shows it
    bool is_complete;
    std::uint64_t completed_as = 0;
  };
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto order = seed % 2 == 0 ? async_order::ordered : async_order::unordered;
    async_schedule schedule(order, 5, 0ms);
    std::vector<item> here;
    std::vector<id> running;
    std::int64_t requests = 0;
    std::int64_t time = 0;
    std::uint64_t completions = 0;
    for (int step = 0; step < 200; ++step) {
      const auto dice = random() % 10;
      if (dice < 3) {
        schedule.add_request();
        here.push_back({++requests, false});
      } else if (dice < 4) {
        schedule.add_control(watermark{++time});
        here.push_back({-time, true});
      } else if (!running.empty()) {
        const auto which = random() % running.size();
        const auto done = running[which];
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
        schedule.complete(done);
        auto found = std::find_if(here.begin(), here.end(), [&](const item& i) {
          return i.what == static_cast<std::int64_t>(done);
        });
        found->is_complete = true;
        found->completed_as = ++completions;
      }
      list expected;
      while (!here.empty()) {
        auto next = here.begin();
        if (order == async_order::unordered && next->what > 0) {
          for (auto i = here.begin(); i != here.end() && i->what > 0; ++i)
            if (i->is_complete && (!next->is_complete || i->completed_as < next->completed_as))
              next = i;
        }
        if (!next->is_complete) break;
        expected.push_back(next->what);
        here.erase(next);
      }
      CHECK(leaving(schedule) == expected);
      while (const auto started = schedule.next_to_start(start)) running.push_back(*started);
      CHECK(running.size() <= 5);
    }
  }
}

}  // namespace async_schedule_test
