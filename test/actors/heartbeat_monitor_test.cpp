#include "millrace/actors/heartbeat_monitor.hpp"

#include <doctest/doctest.h>

namespace heartbeat_monitor_test {

using namespace millrace;
using namespace std::chrono_literals;

namespace {

const resource_id a{1, 1};
const resource_id b{2, 2};

struct monitored {
  heartbeat_monitor monitor{1s, 10s};
  heartbeat_monitor::time_point now{1h};

  std::vector<resource_id> after(std::chrono::seconds time) {
    std::vector<resource_id> lost;
    for (; time > 0s && lost.empty(); time -= 1s) lost = monitor.lost(now += 1s);
    return lost;
  }
};

}  // namespace

TEST_CASE_FIXTURE(monitored, "a node is lost when it was silent for the timeout") {
  monitor.heard(a, now);
  monitor.heard(b, now);
  CHECK(after(5s).empty());
  monitor.heard(b, now);
  CHECK(monitor.silence(a, now) == 5s);
  CHECK(after(4s).empty());
  CHECK(after(1s) == std::vector{a});
  monitor.forget(a);
  CHECK(after(4s).empty());
  CHECK(after(1s) == std::vector{b});
}

TEST_CASE_FIXTURE(monitored, "a watcher that was itself paused gives everybody a fresh period") {
  monitor.heard(a, now);
  CHECK(after(1s).empty());
  CHECK(monitor.lost(now += 60s).empty());
  CHECK(after(9s).empty());
  CHECK(after(1s) == std::vector{a});
}

TEST_CASE_FIXTURE(monitored, "the next loss is that of the node that is silent for longest") {
  CHECK_FALSE(monitor.next_loss());
  monitor.heard(a, now);
  monitor.heard(b, now + 2s);
  CHECK(monitor.next_loss() == now + 10s);
  monitor.heard(a, now + 3s);
  CHECK(monitor.next_loss() == now + 12s);
}

TEST_CASE_FIXTURE(monitored, "a tick that is a little late changes nothing") {
  monitor.heard(a, now);
  CHECK(after(6s).empty());
  CHECK(monitor.lost(now += 5s) == std::vector{a});
}

}  // namespace heartbeat_monitor_test
