#include "millrace/actors/io_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace millrace {

io_pool::~io_pool() {
  std::deque<std::function<void()>> dropped;
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  wake_.notify_all();
  // No new worker appears: run() makes none any more.
  for (auto& w : workers_) w->thread.join();
}

void io_pool::run(std::function<void()> job) {
  {
    std::lock_guard guard(mutex_);
    if (stopping_) return;
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_) start_worker();
  }
  wake_.notify_one();
}

std::size_t io_pool::thread_count() const {
  std::lock_guard guard(mutex_);
  return static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(), [](const auto& w) { return !w->ended; }));
}

/// With the mutex held.
void io_pool::start_worker() {
  std::erase_if(workers_, [](const auto& w) {
    if (w->ended) w->thread.join();  // it does nothing any more that needs the mutex
    return w->ended;
  });
  if (workers_.size() >= std::max<std::size_t>(options_.threads_max, 1)) return;
  auto& w = *workers_.emplace_back(std::make_unique<worker>());
  w.thread = std::thread([this, &w, number = ++started_] { work(w, number); });
}

void io_pool::work(worker& self, std::size_t number) {
  // The kernel keeps 15 characters.
  pthread_setname_np(pthread_self(),
                     (options_.name + "-" + std::to_string(number)).substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // what it owns may be large: not to be kept until the next job
      lock.lock();
      continue;
    }
    ++idle_;
    const bool woken =
        wake_.wait_for(lock, options_.idle_timeout, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (!woken) break;
  }
  self.ended = true;
}

}  // namespace millrace
