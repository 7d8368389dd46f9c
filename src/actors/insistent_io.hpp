#pragma once

#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "millrace/actors/local_messages.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// Blocking work without which its actor can't go on: while the storage fails it is done again and
/// again. Other errors are no reason to try it once more. Part of an actor: called only from there,
/// and calls back there.
class insistent_io {
 public:
  static constexpr std::chrono::seconds pause{1};

  /// `self` hands local::try_again on; `io` must outlive it.
  insistent_io(caf::event_based_actor& self, io_executor& io) : self_(self), io_(io) {}

  /// `what` is for the log: "store the result of job …". `work` runs in I/O threads, never twice at
  /// once; `done` hears how it went in the end.
  void run(std::string what, std::function<status()> work, std::function<void(const status&)> done);
  void on_try_again(const local::try_again& again);

  /// What is tried again, if there is any: "the storage fails, trying again to restore job …: …".
  std::optional<std::string> failing() const;

 private:
  struct task {
    std::string what;
    std::function<status()> work;
    std::function<void(const status&)> done;
    std::optional<error> failure{};  ///< The last one.
  };

  void attempt(std::uint64_t ticket);

  caf::event_based_actor& self_;
  io_executor& io_;
  std::map<std::uint64_t, task> tasks_;
  std::uint64_t last_ = 0;
};

}  // namespace millrace
