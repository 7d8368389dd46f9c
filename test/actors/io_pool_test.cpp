#include "millrace/actors/io_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <latch>

namespace io_pool_test {

using namespace millrace;

TEST_CASE("An I/O pool has no thread before it has work") {
  io_pool pool({.threads_max = 4});
  CHECK(pool.thread_count() == 0);
  std::promise<void> ran;
  pool.run([&] { ran.set_value(); });
  ran.get_future().wait();
  CHECK(pool.thread_count() == 1);
}

TEST_CASE("An I/O pool runs as much at once as its limit allows, and the rest later") {
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  std::latch done(12);
  {
    io_pool pool({.threads_max = 3});
    for (int i = 0; i < 12; ++i) {
      pool.run([&] {
        const int now = ++at_once;
        int seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        --at_once;
        done.count_down();
      });
    }
    done.wait();
    CHECK(pool.thread_count() <= 3);
  }
  CHECK(most >= 2);
  CHECK(most <= 3);
}

TEST_CASE("Idle threads of an I/O pool end") {
  io_pool pool({.threads_max = 4, .idle_timeout = std::chrono::milliseconds(1)});
  std::promise<void> ran;
  pool.run([&] { ran.set_value(); });
  ran.get_future().wait();
  for (int i = 0; i < 1000 && pool.thread_count() != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(pool.thread_count() == 0);
  std::promise<void> again;
  pool.run([&] { again.set_value(); });
  again.get_future().wait();
}

TEST_CASE("A pool that ends waits for the job that runs and drops those that wait") {
  std::promise<void> begun;
  std::atomic<bool> finished = false;
  std::atomic<bool> second_ran = false;
  {
    io_pool pool({.threads_max = 1});
    pool.run([&] {
      begun.set_value();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      finished = true;
    });
    pool.run([&] { second_ran = true; });
    begun.get_future().wait();
  }
  CHECK(finished);
  CHECK_FALSE(second_ran);
}

}  // namespace io_pool_test
