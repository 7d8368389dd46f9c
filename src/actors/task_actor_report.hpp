#pragma once

#include "millrace/actors/messages.hpp"
#include "millrace/stream/stream_task.hpp"

namespace millrace {

/// What a task has done so far, as messages carry it. `producers` are those of its input channels.
wire::task_report report_of(const stream_task& task,
                            const std::vector<execution_attempt_id>& producers);

}  // namespace millrace
