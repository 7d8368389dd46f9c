#pragma once

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>
#include <map>
#include <vector>

#include "millrace/core/ids.hpp"

namespace millrace {

/// Who wants to hear how jobs end. Part of the dispatcher, which monitors watchers for as long as
/// they watch anything.
class job_watchers {
 public:
  /// `self` outlives it.
  explicit job_watchers(caf::event_based_actor& self) : self_(self) {}

  /// A client may come and go many times while a job runs. One that has come back over another
  /// connection has a new handle, though CAF says that it equals the dead one.
  void add(const job_id& job, const caf::actor& watcher);
  /// The watcher is down.
  void remove(const caf::actor_addr& watcher);
  /// The job has ended: who is to be told, once.
  std::vector<caf::actor> take(const job_id& job);

 private:
  /// Whether this very handle watches a job.
  bool is_watching(const caf::actor& watcher) const;

  caf::event_based_actor& self_;
  std::map<job_id, std::vector<caf::actor>> watchers_;
};

}  // namespace millrace
