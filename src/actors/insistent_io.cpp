#include "millrace/actors/insistent_io.hpp"

#include <caf/event_based_actor.hpp>
#include <memory>
#include <utility>

#include "millrace/core/logging.hpp"

namespace millrace {

void insistent_io::run(std::string what, std::function<status()> work,
                       std::function<void(const status&)> done) {
  const auto ticket = ++last_;
  tasks_[ticket] = {std::move(what), std::move(work), std::move(done)};
  attempt(ticket);
}

void insistent_io::attempt(std::uint64_t ticket) {
  auto outcome = std::make_shared<status>();
  io_.submit([work = tasks_.at(ticket).work, outcome] { *outcome = work(); },
             [this, ticket, outcome] {
               if (*outcome || (outcome->error().code != errc::io &&
                                outcome->error().code != errc::permission_denied)) {
                 const auto ended = tasks_.extract(ticket);
                 return ended.mapped().done(*outcome);
               }
               auto& again = tasks_.at(ticket);
               again.failure = outcome->error();
               log_event(log_level::warn, "the storage fails, trying again",
                         {{"to", again.what}, {"reason", again.failure->message}});
               self_.delayed_send(&self_, pause, local::try_again{ticket});
             });
}

std::optional<std::string> insistent_io::failing() const {
  for (const auto& [ticket, task] : tasks_)
    if (task.failure)
      return "the storage fails, trying again to " + task.what + ": " + task.failure->message;
  return std::nullopt;
}

void insistent_io::on_try_again(const local::try_again& again) {
  if (tasks_.contains(again.ticket)) attempt(again.ticket);
}

}  // namespace millrace
