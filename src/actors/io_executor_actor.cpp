#include "millrace/actors/io_executor_actor.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <utility>

namespace millrace {

actor_io_executor::actor_io_executor(caf::event_based_actor& owner,
                                     std::shared_ptr<io_backend> backend)
    : owner_(owner), backend_(std::move(backend)) {}

actor_io_executor::~actor_io_executor() = default;

void actor_io_executor::submit(std::function<void()> work, std::function<void()> done) {
  backend_->run([work = std::move(work), completed = expect(std::move(done))]() mutable {
    work();
    work = nullptr;  // `done` is to hold the last reference to what both share
    completed();
  });
}

std::function<void()> actor_io_executor::expect(std::function<void()> done) {
  const auto ticket = ++last_;
  waiting_.emplace(ticket, std::move(done));
  return [owner = owner_.address(), ticket] {
    if (auto alive = caf::actor_cast<caf::actor>(owner))
      caf::anon_send(alive, local::io_done{ticket});
  };
}

void actor_io_executor::complete(const local::io_done& completed) {
  auto found = waiting_.extract(completed.ticket);
  if (!found.empty()) found.mapped()();
}

}  // namespace millrace
