#pragma once

#include <deque>
#include <functional>
#include <string>

#include "millrace/actors/insistent_io.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// Blocking work on the storage, done one piece at a time and in the order in which it was given:
/// removing what was given up must not overtake its completion. Part of an actor: called only from
/// there, and calls back there.
class storage_queue {
 public:
  using work = std::function<status()>;  ///< Blocks; runs in an I/O thread.
  struct task {
    /// When its turn has come, in the actor.
    std::function<work()> begin;
    /// It stays the first while this runs, so that what it leads to comes behind it.
    std::function<void(const status&)> done;
    /// What nothing else may be done before, for the log of insistent_io; empty: one attempt will
    /// do.
    std::string insist_on{};
  };
  struct hooks {
    std::function<void()> on_idle;  ///< There is nothing to do any more.
    /// Another master has the job: nothing more is done, and nobody hears of what was to be.
    std::function<void(const error&)> on_replaced;
  };

  /// `io` and `insistent` must outlive it.
  storage_queue(io_executor& io, insistent_io& insistent, hooks h)
      : io_(io), insistent_(insistent), hooks_(std::move(h)) {}

  void add(task what);
  void add(work what, std::function<void(const status&)> done);
  bool is_idle() const noexcept { return tasks_.empty(); }

 private:
  void begin_next();
  void on_done(const status& how);

  io_executor& io_;
  insistent_io& insistent_;
  hooks hooks_;
  std::deque<task> tasks_;  // the first is under way
};

}  // namespace millrace
