#include "millrace/transport/resolver.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace millrace::transport {

// Shared with the thread, which may be stuck in the system's resolver when the owner goes.
struct resolver::queue {
  struct question {
    std::string host;
    std::uint16_t port;
    callback done;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<question> waiting;
  bool has_thread = false;
  bool stopped = false;

  static void run(const std::shared_ptr<queue>& self) {
    std::unique_lock lock{self->mutex};
    for (;;) {
      self->changed.wait(lock, [&] { return self->stopped || !self->waiting.empty(); });
      if (self->stopped) return;
      auto next = std::move(self->waiting.front());
      self->waiting.pop_front();
      lock.unlock();
      auto answer = transport::resolve(next.host, next.port);
      lock.lock();
      if (self->stopped) return;
      // Under the lock, so that no callback runs once the destructor is through.
      next.done(std::move(answer));
    }
  }
};

resolver::resolver() : queue_(std::make_shared<queue>()) {}

resolver::~resolver() {
  std::lock_guard guard{queue_->mutex};
  queue_->stopped = true;
  queue_->waiting.clear();
  queue_->changed.notify_all();
}

void resolver::resolve(std::string host, std::uint16_t port, callback done) {
  if (auto literal = resolve_literal(host, port)) return done(std::move(literal));
  std::lock_guard guard{queue_->mutex};
  queue_->waiting.push_back({std::move(host), port, std::move(done)});
  queue_->changed.notify_one();
  if (!queue_->has_thread) {
    queue_->has_thread = true;
    std::thread{[shared = queue_] { queue::run(shared); }}.detach();
  }
}

}  // namespace millrace::transport
