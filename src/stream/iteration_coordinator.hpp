#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/core/ids.hpp"
#include "millrace/graph/iterations.hpp"
#include "millrace/stream/iteration_protocol.hpp"

namespace millrace {

/// Finds out when nothing is left in the loop of an iteration, and ends it. Decides; the job master
/// carries it out: commands go to the tasks, reports come from them. Plain and without a clock.
///
/// A loop goes through this twice, first for its records, then for what the end of event time
/// brings up (windows that fire):
///
///     gathering -> confirming -> (end_event_time) -> gathering -> confirming -> (end) ended
///       |   ^          |
///       v   |          |  what was reported does not add up
///      pausing <-------+
///
/// Why it is right. A task answers when it is passive, with the numbers of elements that it has
/// sent and received on each channel. The loop is empty if all are passive and each channel's
/// numbers agree (the channel counting of Mattern 1987, "Algorithms for distributed termination
/// detection"), although the reports are of different times: suppose that a task does something
/// after its report, and take the first that does. A passive task only wakes up by an element of a
/// channel of the loop. The element's sender has not done anything after its own report, so it was
/// sent before that and is among those that it counted; it was received after the receiver's
/// report, and is not among those. So the numbers did not agree.
///
/// Timers of processing time are the exception: they wake up a passive task by themselves. So the
/// answers of `gathering`, which may be as far apart as the loop is slow, are only a hint, and all
/// tasks are asked again for what counts: from its answer to `confirm` on, a passive task fires no
/// timers until it is asked to `report` anew. Timers that are left when the loop is empty are
/// dropped, as at the end of any input.
///
/// It never hangs: a task that has nothing to do answers, and a loop that runs dry is empty at some
/// time, after which all reports agree.
class iteration_coordinator {
 public:
  /// What is to be sent to whom, in this order, and when to call on_retry.
  struct decision {
    struct order {
      iteration_command command;
      std::vector<execution_attempt_id> tasks;
    };
    std::vector<order> orders;
    std::optional<std::chrono::milliseconds> retry_after;
  };

  iteration_coordinator(const graph::job_graph& graph, const graph::iteration& loop);

  /// A task runs. If it takes the place of another attempt, all tasks of the loop are new.
  decision on_running(const execution_attempt_id& task);
  /// Reports of others than the current attempts, and answers to former questions, change nothing.
  decision on_report(const execution_attempt_id& task, const iteration_report& report);
  decision on_retry();

  bool has_ended() const noexcept { return stage_ == stage::ended; }

 private:
  enum class stage : std::uint8_t {
    starting,    ///< Not all tasks run yet.
    gathering,   ///< All were asked to report.
    confirming,  ///< All were asked to confirm.
    pausing,     ///< The loop is busy: they are asked again in a while.
    ended,
  };
  struct member {
    std::uint32_t vertex = 0;
    std::uint32_t subtask = 0;
    std::optional<execution_attempt_id> task;
    std::optional<iteration_report> report;  ///< In this round.
  };
  /// By index of member, and the channel's number at each end.
  struct channel {
    std::size_t from = 0;
    std::uint32_t output = 0;
    std::size_t to = 0;
    std::uint32_t input = 0;
  };

  member* find(const execution_attempt_id& task) noexcept;
  bool is_empty() const noexcept;
  std::vector<execution_attempt_id> tasks(bool only_heads) const;
  void ask(iteration_request what, decision& next);
  void conclude(decision& next);

  std::uint32_t head_;
  std::vector<member> members_;  ///< By vertex, then subtask.
  std::vector<channel> channels_;
  stage stage_ = stage::starting;
  bool event_time_ended_ = false;
  std::uint64_t round_ = 0;
  std::size_t answers_ = 0;
  std::uint32_t pauses_ = 0;  ///< Since something was decided.
};

}  // namespace millrace
