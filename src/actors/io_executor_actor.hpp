#pragma once

#include <caf/fwd.hpp>
#include <cstdint>
#include <map>
#include <memory>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// The io_executor of one actor: work runs in a backend, its completion comes back as a message, so
/// that `done` runs in the actor, one at a time, in step with everything else it does.
///
/// What `done` owns never leaves the actor's thread: only a number travels. When the actor ends,
/// its executor goes with it and outstanding completions are dropped. Used only from its actor.
class actor_io_executor final : public io_executor {
 public:
  /// `owner` must handle local::io_done by calling complete(). The backend must outlive the actor.
  actor_io_executor(caf::event_based_actor& owner, std::shared_ptr<io_backend> backend);
  ~actor_io_executor() override;

  void submit(std::function<void()> work, std::function<void()> done) override;
  std::function<void()> expect(std::function<void()> done) override;

  /// Runs the `done` of a completed submission. What it throws passes through.
  void complete(const local::io_done& completed);
  /// From now on nothing is completed: the owner closes what the callbacks refer to.
  void drop_all() noexcept { waiting_.clear(); }

  std::size_t outstanding() const noexcept { return waiting_.size(); }

 private:
  caf::event_based_actor& owner_;
  std::shared_ptr<io_backend> backend_;
  std::map<std::uint64_t, std::function<void()>> waiting_;
  std::uint64_t last_ = 0;
};

}  // namespace millrace
