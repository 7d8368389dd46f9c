#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

/// The process's log: one line per event in the life of jobs, tasks and nodes. Until `init_logging`
/// it goes to standard error from `warn` on, so that a program that runs a job embedded stays
/// quiet. Everything here is safe to call from any thread; lines stay whole.
namespace millrace {

enum class log_level : std::uint8_t { trace, debug, info, warn, error, off };

/// Sends the log where `log.file` or `log.dir` say, else to standard error, from `log.level` on, or
/// from `level_unless_set` on if that is not set. In `log.dir` the file is called
/// "<process>-<host>-<process id>.log"; files are appended to. Fails with `io` if the file can't be
/// opened; the log then stays as it was.
status init_logging(const configuration& config, const std::string& process,
                    log_level level_unless_set = log_level::info);

/// Sends the log, from `level` on, to a function instead, which is called one line at a time and
/// must not log. An empty function restores the state before `init_logging`. For tests.
void redirect_log(std::function<void(log_level, std::string_view line)> sink,
                  log_level level = log_level::trace);

/// Whether lines of that level go anywhere: for callers with a line that is expensive to make.
bool log_enabled(log_level level) noexcept;

/// Writes one line. Line breaks and other control characters become spaces.
void log_line(log_level level, std::string_view line);

/// A name and its value in the line of an event.
struct log_field {
  std::string_view name;
  std::string value;
};

/// Writes `event name=value name="value with blanks"`.
void log_event(log_level level, std::string_view event,
               std::initializer_list<log_field> fields = {});

/// The same about one execution of a subtask:
/// `event job=… vertex="Map" subtask=2/4 attempt=1 …`. The subtask is counted from 1, as people do.
void log_task_event(log_level level, std::string_view event, const execution_attempt_id& id,
                    std::string_view vertex_name, std::uint32_t parallelism,
                    std::initializer_list<log_field> fields = {});

}  // namespace millrace
