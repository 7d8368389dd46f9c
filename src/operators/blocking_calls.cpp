#include "millrace/operators/blocking_calls.hpp"

#include <utility>

namespace millrace {

void blocking_calls::submit(std::weak_ptr<const void> wanted, std::function<void()> work,
                            std::function<void()> done) {
  waiting_.push_back({std::move(wanted), std::move(work), std::move(done)});
  start_more();
}

void blocking_calls::start_more() {
  while (running_ < at_once_ && !waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    if (next.wanted.expired()) continue;
    ++running_;
    io_->submit(std::move(next.work), [this, done = std::move(next.done)] {
      --running_;
      start_more();
      done();
    });
  }
}

}  // namespace millrace
