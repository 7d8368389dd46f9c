#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/messages.hpp"
#include "millrace/actors/task_manager.hpp"
#include "millrace/actors/task_manager_heartbeat.hpp"

namespace millrace {

/// A task manager's tie to its master, kept for life:
///
///   absent --dial--> dialing --registration asked for--> registering --> registered
///     ^                 |                                     |              |
///     +-- back-off -----+-------------------------------------+--- lost -----+
///
/// Part of the task manager's actor: called only from there.
class master_link {
 public:
  struct hooks {
    std::function<std::vector<wire::slot_status>()> slots;
    std::function<std::vector<wire::kept_job>()> kept;
    /// Number of the last allocate_slot that `slots` takes into account.
    std::function<std::uint64_t()> grants_seen;
    std::function<void()> on_registered;
    /// Only after on_registered; the link goes on to look for the master by itself.
    std::function<void(const std::string& reason)> on_lost;
  };

  /// `options` must outlive the link.
  master_link(caf::event_based_actor& self, const task_manager_options& options, hooks h);

  void start();
  void stop();
  void on_dialed(const local::dialed& end);
  void on_heartbeat_answer(const wire::heartbeat_answer& answer);
  void on_timer(std::uint64_t generation);
  /// Whether it was the master that went down.
  bool on_down(const caf::actor_addr& who);

  bool is_registered() const noexcept { return state_ == state::registered; }
  /// Of the registration.
  std::uint64_t epoch() const noexcept { return epoch_; }
  /// What the master's node publishes; null while it is absent.
  const caf::actor& gate() const noexcept { return gate_; }
  const caf::actor& resource_manager() const noexcept { return resource_manager_; }
  /// The master's process; null id if it is ours or absent.
  const resource_id& resource() const noexcept { return resource_; }

 private:
  enum class state : std::uint8_t { absent, dialing, registering, registered, stopped };

  void dial();
  void register_now();
  void registered(const wire::registration& r, const caf::strong_actor_ptr& by);
  void beat();
  /// `keeps_gate`: whoever is behind it may be replaced.
  void lose(const std::string& reason, bool keeps_gate = false);
  void retry_later(const error& why);
  void set_timer(std::chrono::milliseconds delay);
  std::string address() const;
  std::chrono::steady_clock::time_point now() const;

  caf::event_based_actor& self_;
  const task_manager_options& options_;
  hooks hooks_;
  state state_ = state::absent;
  back_off retry_;
  caf::actor gate_;
  caf::actor resource_manager_;
  caf::node_id node_;
  resource_id resource_;
  std::uint64_t epoch_ = 0;
  std::optional<master_heartbeat> heartbeat_;
  std::uint64_t timer_ = 0;  // generation of the latest one
  std::string last_trouble_;
};

}  // namespace millrace
