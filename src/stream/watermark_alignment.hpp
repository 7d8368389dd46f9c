#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/event_time.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// How far one member of an alignment group is: an operator that emits watermarks, in one subtask.
struct alignment_report {
  std::string group;  ///< As `with_watermark_alignment` has named it.
  /// The last that it emitted; `no_timestamp` if there was none.
  timestamp_ms watermark = no_timestamp;
  bool is_idle = false;           ///< Not to be waited for.
  timestamp_ms max_drift_ms = 0;  ///< What this member asks for; the smallest of a group counts.

  bool operator==(const alignment_report&) const = default;
};

/// Keeps the event times of a group's members within a drift of the slowest one (Flink's
/// SourceCoordinator, FLIP-182). Decides; the job master carries it out: reports come from the
/// tasks, limits go to them.
///
/// A member is known from its first report until its attempt has ended. One without a watermark
/// holds all others back, as it may yet be the slowest; an idle one holds back nobody.
class alignment_coordinator {
 public:
  /// A new limit for everybody of a group, if the report changes it: whoever has a greater
  /// watermark pauses.
  std::optional<timestamp_ms> on_report(const execution_attempt_id& task,
                                        std::uint32_t operator_index,
                                        const alignment_report& report);

  /// Tasks for which this is true are members of no group any more. Returns the limits that change.
  std::vector<std::pair<std::string, timestamp_ms>> forget(
      const std::function<bool(const execution_attempt_id&)>& has_ended);

  /// The tasks of a group's members, each once, in order.
  std::vector<execution_attempt_id> members_of(const std::string& group) const;

 private:
  using member_id = std::pair<execution_attempt_id, std::uint32_t>;
  struct group_state {
    std::map<member_id, alignment_report> members;
    timestamp_ms limit = max_watermark;
  };

  /// True if the limit is another one now.
  static bool update(group_state& group);

  std::map<std::string, group_state> groups_;
};

}  // namespace millrace
