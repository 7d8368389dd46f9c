#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace {

/// Somewhere that jobs may block. The seam between actors and threads: a simulation puts a queue
/// here that it drains itself, in an order of its choice.
class io_backend {
 public:
  virtual ~io_backend() = default;
  /// Runs `job` later, in any order and at the same time as others. Thread-safe. `job` must not
  /// throw.
  virtual void run(std::function<void()> job) = 0;
};

/// Threads for blocking work: made when a job comes and none is idle, up to a limit beyond which
/// jobs queue, and ended when they had nothing to do for a while. A node that does no I/O has none.
class io_pool final : public io_backend {
 public:
  struct options {
    std::size_t threads_max = 64;
    std::chrono::milliseconds idle_timeout{10'000};
    std::string name = "io";  ///< Threads are "io-1", "io-2", … in debuggers and top.
  };

  explicit io_pool(options opts) : options_(std::move(opts)) {}
  /// Drops the jobs that have not begun and waits for those that have.
  ~io_pool() override;
  io_pool(const io_pool&) = delete;
  io_pool& operator=(const io_pool&) = delete;

  void run(std::function<void()> job) override;

  std::size_t thread_count() const;

 private:
  struct worker {
    std::thread thread;
    bool ended = false;
  };

  void work(worker& self, std::size_t number);
  void start_worker();

  const options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::size_t idle_ = 0;
  std::size_t started_ = 0;
  bool stopping_ = false;
};

}  // namespace millrace
