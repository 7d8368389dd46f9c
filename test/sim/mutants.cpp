#include "sim/mutants.hpp"

#include "millrace/core/mutant.hpp"

namespace millrace {

std::string_view active_mutant;

namespace sim {

namespace {

constexpr mutant mutants[] = {
    {"credit_counted_twice", "any", "a task takes every credit for two"},
    {"credit_kept", "any", "a task never gives credit back"},
    {"credit_ignored", "any", "a batch is sent though there is no credit for it"},
    {"end_overtakes_data", "any", "the end of input overtakes batches that wait for credit"},
    {"batch_after_end", "any", "the last batch is sent to a subtask that was told the end"},
    {"blocked_batch_lost", "any", "a batch is dropped when two wait for credit already"},
    {"one_end_ends_all", "any", "the end of one channel is taken for the end of all"},
    {"early_channel_lost", "any", "a request for a channel that comes before its producer is lost"},
    {"hello_not_answered", "any", "a task manager does not answer another one's greeting"},
    {"slot_kept", "any", "a task manager does not free the slot of a job that is over"},
    {"slot_release_lost", "any", "the resource manager is not told of a freed slot"},
    {"freed_slot_remembered", "any", "a freed slot is released again by the next heartbeats"},
    {"late_offer_taken", "cancel", "a job that is ending takes a slot that it is offered"},
    {"program_kept", "any", "a job's program stays loaded when the job is over"},
    {"registration_lost", "any", "the second task manager is told that it is registered, and is not"},
    {"cancel_forgets_a_task", "any", "one of the tasks of a slot that is given up is not cancelled"},
    {"slot_timeout_never_armed", "faults", "a request for slots never times out"},
    {"lost_peer_ignored", "faults", "tasks are not told that they have lost a peer"},
    {"loss_not_told", "faults", "job masters are not told of lost task managers"},
    {"watcher_forgotten", "any", "a client is not told the end of its job"},
};

}  // namespace

const std::span<const mutant> all_mutants(mutants);

bool switch_on_mutant(std::string_view name) {
  active_mutant = {};
  if (name.empty()) return true;
  for (const auto& m : mutants) {
    if (m.name != name) continue;
    active_mutant = m.name;
    return true;
  }
  return false;
}

}  // namespace sim

}  // namespace millrace
