#include "sim/client.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <set>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/sha256.hpp"

namespace millrace::sim {

namespace {

constexpr std::chrono::seconds request_timeout{10};
constexpr std::chrono::minutes savepoint_timeout{10};  // it may begin anew several times
constexpr std::chrono::seconds dial_timeout{5};
constexpr std::chrono::milliseconds dial_pause{200};
/// Before a stop that has failed is tried again.
constexpr std::chrono::milliseconds stop_pause{300};
constexpr std::chrono::seconds look_interval{5};
constexpr std::size_t chunk_bytes = 700;  // small, so that an upload takes several

class client {
 public:
  static inline const char* name = "simulation.client";

  explicit client(caf::event_based_actor* self) : self_(self) {}

  void init(transport::connector& connector, std::shared_ptr<const clock> time, std::string host,
            std::uint16_t port, std::shared_ptr<client_desk> desk) {
    connector_ = &connector;
    time_ = std::move(time);
    host_ = std::move(host);
    port_ = port;
    desk_ = std::move(desk);
    dial();
    look();
  }

  void on_dialed(const local::dialed& end) {
    if (!end.outcome || !end.outcome->actor) {
      self_->delayed_send(self_, dial_pause, local::timer{local::timer_kind::master, 0});
      return;
    }
    node_ = end.outcome->node;
    dispatcher_ = caf::actor_cast<caf::actor>(end.outcome->actor);
    self_->monitor(dispatcher_);
    ++life_;
    for (auto& [job, state] : states_) {
      if (state.submitted) watch(*job);
      // An upload that broke off goes on where it was.
      else if (!state.submitting && job->ending == job_ending::none)
        offer(*job);
    }
    work();
  }
  void dial() {
    connector_->dial(host_, port_, dial_timeout,
                     [self = self_->address()](result<transport::peer> outcome) {
                       if (auto alive = caf::actor_cast<caf::actor>(self))
                         caf::anon_send(alive, local::dialed{{}, std::move(outcome)});
                     });
  }
  void on_down(const caf::actor_addr& who) {
    if (masters_.erase(who) != 0) is_forgotten_ = true;
    if (!dispatcher_ || who != dispatcher_.address()) return;
    lose();
  }

  /// Now and then: is the master still there, and does it know the jobs?
  void look() {
    self_->delayed_send(self_, look_interval, local::timer{local::timer_kind::reports, 0});
    if (!dispatcher_) return;
    for (auto& [job, state] : states_)
      if (state.submitted) {
        if (is_forgotten_)
          watch(*job);
        else if (job->ending == job_ending::none)
          ask<wire::job_details>(*job, wire::describe_job{*state.submitted},
                                 [](client_job&, const wire::job_details&) {});
      } else if (!state.submitting && !state.offering && job->ending == job_ending::none)
        offer(*job);
    is_forgotten_ = false;
  }

  void on_result(const wire::job_result& result) {
    for (auto& [job, state] : states_)
      if (state.submitted == result.job && job->ending == job_ending::none) {
        job->ending = job_ending::reported;
        job->result = result;
      }
  }

  /// Does what is due, and comes back for what is due later.
  void work() {
    const auto now = time_->now();
    for (auto& job : desk_->jobs) {
      if (states_.contains(job.get())) continue;
      if (job->submit_at > now) {
        come_back(job->submit_at - now);
        continue;
      }
      states_[job.get()];
      if (job->cancel_after) {
        states_[job.get()].cancel_at = now + *job->cancel_after;
        come_back(*job->cancel_after);
      }
      for (const auto after : job->savepoints_after) {
        states_[job.get()].savepoints_at.push_back(now + after);
        come_back(after);
      }
      if (job->stop_after) stop_later(*job, *job->stop_after);
      if (dispatcher_) offer(*job);
    }
    for (auto& [job, state] : states_)
      if (state.cancel_at && *state.cancel_at <= now && state.submitted && dispatcher_ &&
          job->ending == job_ending::none) {
        state.cancel_at.reset();
        self_->request(dispatcher_, request_timeout, wire::cancel_job{*state.submitted})
            .then([](const wire::ack&) {}, [](const caf::error&) {});
      }
    for (auto& [job, state] : states_)
      if (state.submitted && dispatcher_ && job->ending == job_ending::none)
        std::erase_if(state.savepoints_at, [&, job = job, id = *state.submitted](time_point at) {
          if (at > now) return false;
          take_savepoint(*job, id);
          return true;
        });
    for (auto& [job, state] : states_)
      if (state.stop_at && *state.stop_at <= now && state.submitted && dispatcher_ &&
          job->ending == job_ending::none) {
        state.stop_at.reset();
        stop(*job, *state.submitted);
      }
    if (desk_->wants_nodes && dispatcher_) {
      desk_->wants_nodes = false;
      self_->request(dispatcher_, request_timeout, wire::list_nodes{})
          .then([this](const wire::node_list& nodes) { desk_->nodes = nodes; },
                [this](const caf::error& e) { on_silence(from_caf(e)); });
      self_->request(dispatcher_, request_timeout, wire::list_jobs{})
          .then([this](const wire::job_list& list) { desk_->list = list; },
                [](const caf::error&) {});
    }
  }

 private:
  struct job_state {
    std::optional<job_id> submitted;
    bool offering = false;
    bool submitting = false;
    std::optional<time_point> cancel_at;
    std::vector<time_point> savepoints_at;  // not asked for yet
    std::optional<time_point> stop_at;
  };

  void come_back(duration after) { self_->delayed_send(self_, after, local::tick{}); }

  void on_silence(const error& why) {
    if (why.code != errc::timeout || !dispatcher_) return;
    connector_->drop(node_);
    lose();
  }
  void lose() {
    self_->demonitor(dispatcher_);
    dispatcher_ = nullptr;
    ++life_;
    for (auto& [job, state] : states_)
      if (state.submitting && job->ending == job_ending::none) {
        job->ending = job_ending::lost;
        job->why = error{errc::master_lost, "the connection was lost"};
      }
    dial();
  }

  template <class Answer, class Request, class Done>
  void ask(client_job& job, Request request, Done done) {
    self_->request(dispatcher_, request_timeout, std::move(request))
        .then([done, &job](Answer& a) { done(job, a); },
              [this, &job, life = life_](const caf::error& e) {
                if (life != life_ || job.ending != job_ending::none) return;
                auto why = from_caf(e);
                auto& state = states_[&job];
                if (why.code == errc::timeout) return on_silence(why);
                if (why.code == errc::unreachable) {
                  state.offering = false;
                  is_forgotten_ = true;
                  // It has died with the question. Whether it had stored a job is not known.
                  if (state.submitting) {
                    job.ending = job_ending::lost;
                    job.why = std::move(why);
                  }
                  return;
                }
                job.ending = state.submitted && why.code == errc::unknown_job
                                 ? job_ending::forgotten
                                 : job_ending::refused;
                job.why = std::move(why);
              });
  }

  void offer(client_job& job) {
    states_[&job].offering = true;
    if (job.library.empty()) return submit(job);
    sha256 hash;
    hash.update(std::as_bytes(std::span(job.library)));
    job.graph.artifact = to_string(hash.finish());
    ask<wire::artifact_status>(
        job, wire::artifact_offer{job.graph.artifact, job.library.size()},
        [this](client_job& j, const wire::artifact_status& s) { upload(j, s); });
  }
  void upload(client_job& job, const wire::artifact_status& so_far) {
    if (job.ending != job_ending::none || !dispatcher_) return;
    if (so_far.complete) return submit(job);
    wire::artifact_chunk chunk{job.graph.artifact, so_far.stored_bytes, job.library.size(), {}};
    const auto part = std::as_bytes(std::span(job.library))
                          .subspan(so_far.stored_bytes)
                          .first(std::min(chunk_bytes, job.library.size() - so_far.stored_bytes));
    chunk.bytes.assign(part.begin(), part.end());
    ask<wire::artifact_status>(
        job, std::move(chunk),
        [this](client_job& j, const wire::artifact_status& s) { upload(j, s); });
  }
  void submit(client_job& job) {
    states_[&job].submitting = true;
    ask<wire::job_submitted>(job, wire::submit_job{job.graph},
                             [this](client_job& j, const wire::job_submitted& s) {
                               auto& state = states_[&j];
                               state.submitting = false;
                               if (j.ending != job_ending::none) return;
                               state.submitted = s.job;
                               if (!dispatcher_) return;
                               watch(j);
                               work();
                             });
  }
  /// Any error is fine: the job need not run, and a master that dies takes the request with it.
  void take_savepoint(client_job& job, const job_id& id) {
    self_
        ->request(dispatcher_, savepoint_timeout,
                  wire::take_savepoint{id, std::string(savepoints_directory)})
        .then(
            [&job](const wire::checkpoint_taken& taken) {
              job.savepoints.push_back(taken.checkpoint.location);
            },
            [](const caf::error&) {});
  }
  /// Any error is fine, as above, but it is asked for again while the job goes on.
  void stop(client_job& job, const job_id& id) {
    ++desk_->stops_asked;
    self_
        ->request(dispatcher_, savepoint_timeout,
                  wire::stop_job{id, std::string(savepoints_directory), job.drains})
        .then(
            [&job](const wire::checkpoint_taken& taken) {
              job.stopped_with = taken.checkpoint.location;
              job.savepoints.push_back(job.stopped_with);
            },
            [this, &job](const caf::error&) {
              if (job.ending == job_ending::none) stop_later(job, stop_pause);
            });
  }
  void stop_later(client_job& job, duration after) {
    states_[&job].stop_at = time_->now() + after;
    come_back(after);
  }
  void watch(client_job& job) {
    if (job.ending != job_ending::none) return;
    ask<wire::ack>(job, wire::watch_job{*states_[&job].submitted},
                   [this](client_job&, const wire::ack&) {
                     // Whoever answers behind the gate may be replaced, and knows no watchers then.
                     const auto master = caf::actor_cast<caf::actor>(self_->current_sender());
                     if (!master || master == dispatcher_) return;
                     if (masters_.insert(master.address()).second) self_->monitor(master);
                   });
  }

  caf::event_based_actor* self_;
  transport::connector* connector_ = nullptr;
  std::shared_ptr<const clock> time_;
  std::string host_;
  std::uint16_t port_ = 0;
  std::shared_ptr<client_desk> desk_;
  caf::actor dispatcher_;
  caf::node_id node_;
  std::uint64_t life_ = 0;             // of the connection
  std::set<caf::actor_addr> masters_;  // that watch jobs for it
  bool is_forgotten_ = false;          // by a master that was replaced
  struct by_position {
    bool operator()(const client_job* x, const client_job* y) const {
      return x->graph.name < y->graph.name;
    }
  };
  std::map<client_job*, job_state, by_position> states_;
};

caf::behavior client_behavior(caf::stateful_actor<client>* self, transport::connector* connector,
                              std::shared_ptr<const clock> time, std::string host,
                              std::uint16_t port, std::shared_ptr<client_desk> desk) {
  auto& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down.source); });
  ignore_the_unexpected(*self);
  state.init(*connector, std::move(time), std::move(host), port, std::move(desk));
  return {
      [&state](const local::dialed& end) { state.on_dialed(end); },
      [&state](const local::timer& timer) {
        timer.what == local::timer_kind::master ? state.dial() : state.look();
      },
      [&state](local::tick) { state.work(); },
      [&state](const wire::job_result& result) { state.on_result(result); },
  };
}

}  // namespace

caf::actor spawn_client(caf::actor_system& system, transport::connector& connector,
                        std::shared_ptr<const clock> time, std::string master_host,
                        std::uint16_t master_port, std::shared_ptr<client_desk> desk) {
  return system.spawn(client_behavior, &connector, std::move(time), std::move(master_host),
                      master_port, std::move(desk));
}

void wake_client(const caf::actor& client) {
  caf::anon_send(client, local::tick{});
}

}  // namespace millrace::sim
