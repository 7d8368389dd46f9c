#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/transport/connector.hpp"

// Messages that never leave their process: they have no encoding, and the transport's allow list
// lets none of them in.

namespace millrace::local {

/// I/O backend -> owner of the executor: submission `ticket` has run.
struct io_done {
  std::uint64_t ticket = 0;
};

/// An actor to itself: look at the clock.
struct tick {};

/// task manager -> task: open your operators and begin.
struct start_task {};

/// A task to itself: process what has come in.
struct step {};

/// A task to itself: the time of a wake_at has come.
struct wake {
  std::chrono::steady_clock::time_point when;
};

/// task manager -> task: something around you broke.
struct fail_task {
  error cause;
};

/// task manager -> task: how far are you? Answered by task_reported.
struct report_task {};
struct task_reported {
  wire::task_report report;
};

/// transport -> task manager: a dial has come to its end.
struct dialed {
  resource_id wanted;  ///< Null: the master.
  result<transport::peer> outcome;
};

/// task manager to itself: the time to look again at what `what` names has come. A timer that was
/// replaced by another one carries an old generation and is ignored.
enum class timer_kind : std::uint8_t { master, peers, reports, housekeeping };
struct timer {
  timer_kind what = timer_kind::housekeeping;
  std::uint64_t generation = 0;
};

/// A job master to itself: all slots are there.
struct deploy {};

/// A job master to itself: tasks that were cancelled had long enough to end.
struct cancellation_overdue {};

/// A job master to itself: the tasks of a busy iteration may be asked again.
struct ask_iteration {
  std::size_t iteration = 0;  ///< Index among those of the job.
};

/// A job master to itself: the time to look at its checkpoints has come; void if another timer has
/// replaced this one.
struct checkpoint_timer {
  std::uint64_t generation = 0;
};

/// A job master to itself: the pause before a restart is over.
struct restart_due {};

/// A job master to itself: its operator coordinators are to be made anew.
struct renew_coordinators {};

/// An actor to itself: the I/O with this ticket has failed and is to be tried again.
struct try_again {
  std::uint64_t ticket = 0;
};

/// A dispatcher to itself: the pause before a job gets another master is over.
struct start_job_master {
  job_id job;
};

/// A dispatcher to itself: has another process taken over?
struct look_for_successor {};

/// A dispatcher to itself: the job's master has gone down, and all it had sent is handled.
struct job_master_gone {
  job_id job;
};

/// owner -> master -> dispatcher. + handle: the task manager in this process, for its peers.
struct local_task_manager {};

/// owner -> task manager: cancel all tasks, then quit. owner -> master -> dispatcher: the same with
/// jobs.
struct shut_down {};

}  // namespace millrace::local

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::io_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::start_task)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::step)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::wake)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::fail_task)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::report_task)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::task_reported)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::dialed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::timer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::deploy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::cancellation_overdue)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::ask_iteration)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::checkpoint_timer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::restart_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::renew_coordinators)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::try_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::start_job_master)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::look_for_successor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::job_master_gone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::local_task_manager)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(millrace::local::shut_down)
