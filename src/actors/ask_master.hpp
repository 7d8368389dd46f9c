#pragma once

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <future>
#include <memory>
#include <utility>

#include "millrace/actors/spawn_control.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// Asks a master, of this process or of another, and blocks until it answers, `timeout` is over, or
/// it is gone: by an actor of its own, since a request to a node that is gone is answered by
/// nothing but its timeout, and only a monitor tells at once. User functions may keep all threads
/// of the scheduler busy, and the caller has to hear nevertheless. `explain` makes an error of ours
/// of CAF's.
template <class Answer, class Request, class Timeout, class Explain>
result<Answer> ask_master(caf::actor_system& system, const caf::actor& whom, Request request,
                          Timeout timeout, Explain explain) {
  auto answer = std::make_shared<std::promise<result<Answer>>>();
  auto answered = answer->get_future();
  spawn_control(system, [whom, answer, timeout, explain,
                         request = std::move(request)](caf::event_based_actor* self) {
    const auto finish = [whom, answer, self](result<Answer> a) {
      answer->set_value(std::move(a));
      self->demonitor(whom);
      self->quit();
    };
    self->set_down_handler([explain, finish](const caf::down_msg&) {
      finish(tl::unexpected(explain(make_error(caf::sec::request_receiver_down))));
    });
    self->monitor(whom);
    self->request(whom, timeout, request)
        .then([finish](Answer& a) { finish(std::move(a)); },
              [explain, finish](const caf::error& e) { finish(tl::unexpected(explain(e))); });
  });
  return answered.get();
}

}  // namespace millrace
