#pragma once

#include <caf/detail/tuple_vals.hpp>
#include <caf/fwd.hpp>
#include <caf/type_erased_tuple.hpp>
#include <caf/type_id.hpp>
#include <string>

#include "millrace/actors/messages.hpp"

// Makes CAF carry the messages of messages.hpp. The overloads are no templates and live in one .cpp
// file, so that including this costs no compile time; they turn a message into one run of bytes by
// the byte codec. They never throw (a throw in CAF's network thread would end the process): a
// message that cannot be encoded or decoded is a caf::error.

/// Every message that may leave a node but channel_element, which is encoded by hand, in
/// alphabetical order.
#define MILLRACE_CODEC_WIRE_TYPES(X) \
  X(ack)                             \
  X(acknowledge_checkpoint)          \
  X(align_watermarks)                \
  X(alignment_reached)               \
  X(allocate_slot)                   \
  X(artifact_chunk)                  \
  X(artifact_offer)                  \
  X(artifact_request)                \
  X(artifact_status)                 \
  X(cancel)                          \
  X(cancel_job)                      \
  X(cancel_tasks)                    \
  X(channel_credit)                  \
  X(channel_opened)                  \
  X(checkpoint_aborted)              \
  X(checkpoint_complete)             \
  X(checkpoint_details)              \
  X(checkpoint_list)                 \
  X(checkpoint_taken)                \
  X(command_iteration)               \
  X(coordinator_event)               \
  X(decline_checkpoint)              \
  X(deploy_tasks)                    \
  X(describe_checkpoint)             \
  X(describe_job)                    \
  X(drain_sources)                   \
  X(free_slot)                       \
  X(heartbeat)                       \
  X(heartbeat_answer)                \
  X(iteration_reported)              \
  X(job_details)                     \
  X(job_list)                        \
  X(job_result)                      \
  X(job_status_changed)              \
  X(job_submitted)                   \
  X(kill_actor)                      \
  X(last_checkpoint_awaited)         \
  X(list_checkpoints)                \
  X(list_jobs)                       \
  X(list_nodes)                      \
  X(node_list)                       \
  X(offer_slot)                      \
  X(open_channel)                    \
  X(operator_event)                  \
  X(peer_hello)                      \
  X(register_task_manager)           \
  X(registration)                    \
  X(require_slots)                   \
  X(savepoint_target)                \
  X(slot_freed)                      \
  X(slot_offer_answer)               \
  X(slots_missing)                   \
  X(stop_job)                        \
  X(submit_job)                      \
  X(take_checkpoint)                 \
  X(take_savepoint)                  \
  X(task_manager_lost)               \
  X(task_reports)                    \
  X(task_state_changed)              \
  X(trigger_checkpoint)              \
  X(watch_job)

/// All of them.
#define MILLRACE_WIRE_TYPES(X) \
  X(channel_element)           \
  MILLRACE_CODEC_WIRE_TYPES(X)

namespace millrace::wire {

#define MILLRACE_DECLARE_WIRE_TYPE(name)              \
  caf::error inspect(caf::serializer& out, name& x);  \
  caf::error inspect(caf::deserializer& in, name& x); \
  std::string to_string(const name& x);
MILLRACE_WIRE_TYPES(MILLRACE_DECLARE_WIRE_TYPE)
#undef MILLRACE_DECLARE_WIRE_TYPE

/// Makes the messages known to an actor system that is to be configured by `config`.
void register_types(caf::actor_system_config& config);

}  // namespace millrace::wire

CAF_BEGIN_TYPE_ID_BLOCK(millrace_wire, first_custom_type_id)
#define MILLRACE_ADD_TYPE_ID(name) CAF_ADD_TYPE_ID(millrace_wire, (millrace::wire::name))
MILLRACE_WIRE_TYPES(MILLRACE_ADD_TYPE_ID)
#undef MILLRACE_ADD_TYPE_ID
CAF_END_TYPE_ID_BLOCK(millrace_wire)

// What CAF makes of a message of one element, about two hundred functions for each type: compiled
// once (wire_messages.cpp, wire_mailbox.cpp) and not wherever one is sent.
#define MILLRACE_MESSAGE_TEMPLATES(name)                                                        \
  template class caf::detail::tuple_vals_impl<caf::detail::message_data, millrace::wire::name>; \
  template class caf::detail::tuple_vals<millrace::wire::name>;
#define MILLRACE_MAILBOX_TEMPLATES(name) \
  template class caf::detail::tuple_vals_impl<caf::type_erased_tuple, millrace::wire::name>;
#define MILLRACE_EXTERN_TEMPLATES(name)                                         \
  extern template class caf::detail::tuple_vals_impl<caf::detail::message_data, \
                                                     millrace::wire::name>;     \
  extern template class caf::detail::tuple_vals<millrace::wire::name>;          \
  extern template class caf::detail::tuple_vals_impl<caf::type_erased_tuple, millrace::wire::name>;
MILLRACE_WIRE_TYPES(MILLRACE_EXTERN_TEMPLATES)
#undef MILLRACE_EXTERN_TEMPLATES
