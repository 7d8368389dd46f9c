#include "millrace/actors/job_coordinators.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <utility>

#include "millrace/core/logging.hpp"
#include "millrace/stream/operator_failure.hpp"

namespace millrace {

namespace {

/// CAF keeps a delayed message, and with it an actor that has ended, until it is due. So whoever
/// sleeps for long looks at the clock now and then.
constexpr std::chrono::seconds coordinator_nap_max{30};

std::string names_of_coordinated(const graph::job_graph& graph) {
  std::string names;
  for (const auto& vertex : graph.vertices)
    for (const auto& op : vertex.operators)
      if (op.has_coordinator) names += (names.empty() ? "'" : ", '") + op.name + "'";
  return names;
}

}  // namespace

/// The actor system's time, which a simulation turns.
class job_coordinators::actor_clock final : public clock {
 public:
  actor_clock(caf::event_based_actor& self, std::shared_ptr<const clock> wall)
      : self_(self), wall_(std::move(wall)) {}
  std::chrono::steady_clock::time_point now() const noexcept override {
    return self_.clock().now();
  }
  std::int64_t wall_ms() const noexcept override { return wall_->wall_ms(); }

 private:
  caf::event_based_actor& self_;
  std::shared_ptr<const clock> wall_;
};

/// The use of a program, which the provider is told to be over when nobody holds it any more: an
/// I/O thread that still loads it may outlive the job master.
struct job_coordinators::program_lease {
  program_lease(std::shared_ptr<program_provider> from, const job_id& which)
      : programs(std::move(from)), job(which) {}
  ~program_lease() { programs->release(job); }
  program_lease(const program_lease&) = delete;
  program_lease& operator=(const program_lease&) = delete;

  const std::shared_ptr<program_provider> programs;
  const job_id job;
};

job_coordinators::job_coordinators(caf::event_based_actor& self, io_executor& io, const job_id& job,
                                   const graph::job_graph& graph, std::string library,
                                   bool is_checkpointed, coordinator_resources resources,
                                   callbacks call)
    : self_(self),
      io_(io),
      job_(job),
      graph_(graph),
      library_(std::move(library)),
      is_checkpointed_(is_checkpointed),
      resources_(std::move(resources)),
      call_(std::move(call)),
      time_(std::make_unique<actor_clock>(self, resources_.time)) {}

job_coordinators::~job_coordinators() {
  close();
}

void job_coordinators::start(operator_coordinators::snapshots snapshots) {
  if (is_closed_) return;
  if (!has_coordinators(graph_)) {
    is_ready_ = true;
    return call_.ready();
  }
  if (!resources_.programs)
    return call_.fail({errc::internal, "this job manager runs no code of jobs, which " +
                                           names_of_coordinated(graph_) + " needs there"});
  lease_ = std::make_shared<program_lease>(resources_.programs, job_);
  using outcome_type = std::optional<result<std::shared_ptr<const job_program>>>;
  auto outcome = std::make_shared<outcome_type>();
  io_.submit(
      // A copy of the graph: the job master may be gone when this runs.
      [outcome, lease = lease_, graph = graph_, library = library_] {
        outcome->emplace(lease->programs->load(lease->job, graph, library));
      },
      [this, outcome, snapshots = std::move(snapshots)] { loaded(**outcome, snapshots); });
}

void job_coordinators::loaded(const result<std::shared_ptr<const job_program>>& program,
                              const operator_coordinators::snapshots& snapshots) {
  if (is_closed_) return;
  if (!program)
    return call_.fail(
        {program.error().code, "the job manager cannot load the job's program, which " +
                                   names_of_coordinated(graph_) +
                                   " needs there: " + program.error().message});
  try {
    coordinators_.emplace(graph_, *program, static_cast<coordinator_services&>(*this),
                          is_checkpointed_);
  } catch (const operator_failure& e) {
    return call_.fail({e.code(), "in '" + e.operator_name() + "': " + e.what()});
  } catch (const failure& e) {
    return call_.fail(e.what_failed());
  }
  if (auto done = coordinators_->restore(snapshots); !done)
    return call_.fail({done.error().code, "the coordinator of an operator can't be restored: " +
                                              done.error().message});
  if (is_closed_) return;
  coordinators_->start();
  if (is_closed_) return;  // one of them has failed the job
  is_ready_ = true;
  call_.ready();
}

void job_coordinators::on_task_ready(const execution_attempt_id& task) {
  if (coordinators_) coordinators_->on_task_ready(task);
}

void job_coordinators::on_task_gone(const execution_attempt_id& task) {
  if (coordinators_) coordinators_->on_task_gone(task);
}

void job_coordinators::on_task_failed(const execution_attempt_id& task, checkpoint_id restored) {
  if (coordinators_) coordinators_->on_task_failed(task, restored);
}

void job_coordinators::on_event(const wire::operator_event& event) {
  if (coordinators_) coordinators_->on_event(event.task, event.operator_index, event.event);
}

result<operator_coordinators::snapshots> job_coordinators::snapshot(checkpoint_id checkpoint) {
  if (!coordinators_) return operator_coordinators::snapshots();
  auto all = coordinators_->snapshot(checkpoint);
  if (is_closed_) return fail(errc::stale, "an operator's coordinator has failed the job");
  return all;
}

void job_coordinators::on_checkpoint_complete(checkpoint_id checkpoint) {
  if (coordinators_) coordinators_->on_checkpoint_complete(checkpoint);
}

void job_coordinators::on_checkpoint_aborted(checkpoint_id checkpoint) {
  if (coordinators_) coordinators_->on_checkpoint_aborted(checkpoint);
}

void job_coordinators::on_wake(const local::wake& wake) {
  // An earlier request has replaced the one that this message is about.
  if (is_closed_ || !wake_ || *wake_ != wake.when) return;
  if (time_->now() < *wake_) return set_wake();
  wake_.reset();
  coordinators_->wake(time_->now());
}

void job_coordinators::close() {
  if (std::exchange(is_closed_, true)) return;
  if (coordinators_) coordinators_->close();
  lease_.reset();
}

void job_coordinators::set_wake() {
  using duration = std::chrono::steady_clock::duration;
  const auto delay =
      std::clamp<duration>(*wake_ - time_->now(), duration::zero(), coordinator_nap_max);
  self_.delayed_send(&self_, delay, local::wake{*wake_});
}

void job_coordinators::send_to_operator(const execution_attempt_id& task,
                                        std::uint32_t operator_index,
                                        std::vector<std::byte> event) {
  call_.send({task, operator_index, std::move(event)});
}

void job_coordinators::fail_job(error why) {
  log_event(log_level::warn, "an operator coordinator has failed",
            {{"job", to_string(job_)}, {"reason", why.message}});
  call_.fail(std::move(why));
}

const clock& job_coordinators::time() const noexcept {
  return *time_;
}

void job_coordinators::wake_at(std::chrono::steady_clock::time_point when) {
  if (is_closed_ || (wake_ && *wake_ <= when)) return;
  wake_ = when;
  set_wake();
}

}  // namespace millrace
