#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace millrace {

/// Where the engine's code gets the time from; injected, so that a simulation can turn it.
/// Implementations are safe to read from any thread.
class clock {
 public:
  virtual ~clock() = default;

  /// Never goes back; its origin is fixed for the life of the process.
  virtual std::chrono::steady_clock::time_point now() const noexcept = 0;
  /// Milliseconds since 1970-01-01 UTC, as shown to people and used as processing time. May jump.
  virtual std::int64_t wall_ms() const noexcept = 0;
};

/// The operating system's clocks.
class system_clock_source final : public clock {
 public:
  std::chrono::steady_clock::time_point now() const noexcept override;
  std::int64_t wall_ms() const noexcept override;
};

/// The only way to do something that may block: files, sockets, databases. Each task and actor has
/// one, injected by its owner.
class io_executor {
 public:
  virtual ~io_executor() = default;

  /// Runs `work` somewhere blocking is allowed, at some time, on some thread; later `done` in the
  /// owner's own context (its actor, its task loop), never inside this call. Submissions of one
  /// executor may run in any order and at once: who needs an order submits the next from `done`.
  ///
  /// `work` must own all it touches (shared_ptr, values): the owner may be gone when it runs, and
  /// then `done` is dropped, not run. Neither may throw: `work` leaves its `result` in what it
  /// owns.
  virtual void submit(std::function<void()> work, std::function<void()> done) = 0;

  /// For what somebody else does: a client library with threads of its own. Returns a function that
  /// brings `done` into the owner's context, as submit() does, when it is called: on any thread, at
  /// any time, to some effect once. `done` is kept until then, or until the owner has gone.
  virtual std::function<void()> expect(std::function<void()> done) = 0;
};

}  // namespace millrace
