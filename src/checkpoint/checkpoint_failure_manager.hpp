#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

/// Why a checkpoint was given up.
enum class checkpoint_failure : std::uint8_t {
  expired,        ///< It took longer than the timeout.
  declined,       ///< A task could not take part.
  storage,        ///< The storage failed.
  coordinator,    ///< A coordinator of an operator failed.
  task_failed,    ///< A task failed, so that there is a restart.
  task_finished,  ///< A task ended before it had acknowledged.
  not_running,    ///< Not all tasks ran any more when it was to begin.
  subsumed,       ///< A later one was completed first.
  stopped,        ///< The job ends.
  job_finished,   ///< All tasks have ended well.
};

std::string_view to_string(checkpoint_failure why) noexcept;
/// Whether the checkpoint itself has failed, and was not given up for the sake of something else.
bool is_of_its_own(checkpoint_failure why) noexcept;

/// Counts checkpoints that fail one after the other (Flink's CheckpointFailureManager). Those that
/// were given up for the sake of something else do not count.
class checkpoint_failure_manager {
 public:
  explicit checkpoint_failure_manager(std::uint32_t tolerable) : tolerable_(tolerable) {}

  /// Whether that is more than may be borne: the job must fail. The count then begins anew.
  bool on_failure(checkpoint_failure why);
  void on_success() noexcept { in_a_row_ = 0; }

 private:
  std::uint32_t tolerable_;
  std::uint32_t in_a_row_ = 0;
};

}  // namespace millrace
