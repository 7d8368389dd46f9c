#include "millrace/actors/master_supervisor.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/replacement_pauses.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

class master_supervisor {
 public:
  static inline const char* name = "millrace.master";

  explicit master_supervisor(caf::event_based_actor* self) : self_(self) {}

  void init(master_supervisor_options options) {
    options_ = std::move(options);
    start_both();
  }

  void start_both() {
    if (stopping_ || dispatcher_) return;
    pauses_.on_started(self_->clock().now());
    // Ids and epochs of another life are other ones.
    const auto seed = options_.seed + 0x9E3779B97F4A7C15ull * lives_++;
    auto resources = options_.resource_manager;
    resources.seed = seed;
    resource_manager_ = spawn_resource_manager(self_->system(), std::move(resources));
    auto jobs = options_.dispatcher;
    jobs.resource_manager = resource_manager_;
    jobs.seed = ~seed;  // another stream than the resource manager's
    dispatcher_ = spawn_dispatcher(self_->system(), std::move(jobs));
    self_->monitor(resource_manager_);
    self_->monitor(dispatcher_);
    if (task_manager_) self_->send(dispatcher_, local::local_task_manager{}, task_manager_);
    self_->become(behavior());  // what was kept is looked at again
  }

  caf::result<caf::message> hand_on(caf::message_view& what) {
    if (!dispatcher_) return caf::skip;
    auto* element = self_->current_mailbox_element();
    auto sender = element->sender;
    const auto id = self_->take_current_message_id();
    caf::actor_cast<caf::abstract_actor*>(dispatcher_)
        ->enqueue(
            caf::make_mailbox_element(std::move(sender), id, {}, what.move_content_to_message()),
            self_->context());
    return caf::delegated<caf::message>();
  }

  /// Of the dispatcher, for what takes long: CAF does not tell who waits for an actor's answer that
  /// the actor has died.
  template <class Answer, class Request>
  caf::result<Answer> ask_dispatcher(const Request& request) {
    if (!dispatcher_) return caf::skip;
    auto promise = self_->make_response_promise();
    const caf::result<Answer> answer = promise;
    const auto number = requests_++;
    waiting_[number] = {promise, request.job};
    self_->request(dispatcher_, caf::infinite, request)
        .then([this, number](Answer& a) { deliver(number, std::move(a)); },
              [this, number](caf::error& e) { deliver(number, std::move(e)); });
    return answer;
  }

  template <class Answer>
  void deliver(std::uint64_t number, Answer&& answer) {
    auto waiting = waiting_.extract(number);
    if (waiting) waiting.mapped().promise.deliver(std::forward<Answer>(answer));
  }

  void give_up_waiting() {
    for (auto& [number, waiting] : std::exchange(waiting_, {}))
      waiting.promise.deliver(to_caf(
          {errc::master_lost, "the dispatcher was lost meanwhile: 'millrace checkpoints " +
                                  to_string(waiting.job) + "' shows what had been completed"}));
  }

  void on_down(const caf::down_msg& down) {
    const bool was_dispatcher = dispatcher_ && dispatcher_.address() == down.source;
    const bool was_manager = resource_manager_ && resource_manager_.address() == down.source;
    if (!was_dispatcher && !was_manager) return;
    if (was_dispatcher) {
      dispatcher_ = nullptr;
      give_up_waiting();
    }
    if (was_manager) resource_manager_ = nullptr;
    if (was_dispatcher && !stopping_ && down.reason && from_caf(down.reason).code == errc::stale) {
      log_event(log_level::error, "another job manager has taken over: this one ends", {});
      shut_down(down.reason);
    }
    if (stopping_) {
      if (was_dispatcher) self_->quit();
      return;
    }
    const auto other = was_dispatcher ? resource_manager_ : dispatcher_;
    if (other) {
      log_event(log_level::error,
                was_dispatcher ? "the dispatcher broke down" : "the resource manager broke down",
                {{"reason", caf::to_string(down.reason)}});
      return self_->send_exit(other, caf::exit_reason::kill);
    }
    self_->delayed_send(self_, pauses_.on_down(self_->clock().now()), local::tick{});
  }

  caf::result<caf::message> on_kill(wire::kill_actor& request) {
    if (!options_.obeys_chaos)
      return to_caf({errc::invalid_config, std::string(options::chaos_enabled.key) +
                                               " is not set: this cluster is not for tests"});
    switch (request.target) {
      case wire::chaos_target::dispatcher:
        if (dispatcher_) self_->send_exit(dispatcher_, caf::exit_reason::kill);
        return caf::make_message(wire::ack{});
      case wire::chaos_target::resource_manager:
        if (resource_manager_) self_->send_exit(resource_manager_, caf::exit_reason::kill);
        return caf::make_message(wire::ack{});
      default:
        if (dispatcher_) return self_->delegate(dispatcher_, std::move(request));
        return to_caf({errc::unreachable, "there is no dispatcher just now"});
    }
  }

  void set_task_manager(const caf::actor& tm) {
    task_manager_ = tm;
    if (dispatcher_) self_->send(dispatcher_, local::local_task_manager{}, tm);
  }

  /// `why` it ends although nobody has asked for it: then its process is to end, too.
  void shut_down(const caf::error& why = {}) {
    stopping_ = true;
    if (dispatcher_) return self_->send(dispatcher_, local::shut_down{});
    if (resource_manager_) self_->send_exit(resource_manager_, caf::exit_reason::user_shutdown);
    self_->quit(why);
  }

  caf::behavior behavior() {
    return {
        [this](wire::kill_actor& request) { return on_kill(request); },
        [this](const wire::take_checkpoint& request) {
          return ask_dispatcher<wire::checkpoint_taken>(request);
        },
        [this](const wire::take_savepoint& request) {
          return ask_dispatcher<wire::checkpoint_taken>(request);
        },
        [this](const wire::stop_job& request) {
          return ask_dispatcher<wire::checkpoint_taken>(request);
        },
        [this](local::local_task_manager, const caf::actor& tm) { set_task_manager(tm); },
        [this](local::shut_down) { shut_down(); },
        [this](local::tick) { start_both(); },
    };
  }

 private:
  caf::event_based_actor* self_;
  master_supervisor_options options_;
  replacement_pauses pauses_;
  caf::actor dispatcher_;
  caf::actor resource_manager_;
  caf::actor task_manager_;  // in this process
  struct waiting_client {
    caf::response_promise promise;
    job_id job;
  };
  std::map<std::uint64_t, waiting_client> waiting_;
  std::uint64_t requests_ = 0;
  std::uint64_t lives_ = 0;
  bool stopping_ = false;
};

caf::behavior master_supervisor_behavior(caf::stateful_actor<master_supervisor>* self,
                                         master_supervisor_options options) {
  auto& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down); });
  self->set_error_handler([](caf::error&) {});
  const caf::scheduled_actor::default_handler hand_on =
      [&state](caf::scheduled_actor*, caf::message_view& what) { return state.hand_on(what); };
  self->set_default_handler(hand_on);
  state.init(std::move(options));
  return state.behavior();
}

}  // namespace

caf::actor spawn_master_supervisor(caf::actor_system& system, master_supervisor_options options) {
  return spawn_control(system, master_supervisor_behavior, std::move(options));
}

}  // namespace millrace
