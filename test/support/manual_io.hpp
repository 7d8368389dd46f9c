#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/core/io.hpp"

namespace millrace::test {

/// Work waits until it is run, in any order.
class manual_io final : public io_executor {
 public:
  void submit(std::function<void()> work, std::function<void()> done) override {
    waiting_->push_back({std::move(work), std::move(done)});
  }
  /// What was brought about waits, too. For one thread.
  std::function<void()> expect(std::function<void()> done) override {
    return [waiting = std::weak_ptr(waiting_), done = std::move(done)]() mutable {
      if (auto alive = waiting.lock(); alive && done)
        alive->push_back({[] {}, std::exchange(done, nullptr)});
    };
  }

  bool is_empty() const { return waiting_->empty(); }
  std::size_t size() const { return waiting_->size(); }

  /// Runs one piece of work and its completion.
  void run(std::size_t index = 0) {
    auto job = std::move(waiting_->at(index));
    waiting_->erase(waiting_->begin() + static_cast<std::ptrdiff_t>(index));
    job.work();
    job.work = nullptr;
    job.done();
  }
  void run_all() {
    while (!is_empty()) run();
  }
  /// What happens to work whose owner has gone: it is run, its completion dropped.
  void run_all_without_completion() {
    while (!is_empty()) {
      auto job = std::move(waiting_->front());
      waiting_->erase(waiting_->begin());
      job.work();
    }
  }

 private:
  struct submission {
    std::function<void()> work;
    std::function<void()> done;
  };
  std::shared_ptr<std::vector<submission>> waiting_ = std::make_shared<std::vector<submission>>();
};

}  // namespace millrace::test
