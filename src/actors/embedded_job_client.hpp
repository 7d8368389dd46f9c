#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <functional>
#include <memory>

#include "millrace/api/job_runner.hpp"

namespace millrace {

/// A client of a job that a dispatcher knows. `keep_alive` owns the actor system, which thus lives
/// at least as long as the client. `on_end` is called once in an actor, when the job has ended.
std::unique_ptr<job_client> make_job_client(caf::actor_system& system, const caf::actor& dispatcher,
                                            const job_id& job, std::shared_ptr<void> keep_alive,
                                            std::function<void()> on_end);

}  // namespace millrace
