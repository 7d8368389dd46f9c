#include "sim/mutants.hpp"

#include "millrace/core/mutant.hpp"

namespace millrace::sim {

namespace {

constexpr mutant mutants[] = {
    {"credit_counted_twice", "a task takes every credit for two"},
    {"credit_kept", "a task never gives credit back"},
    {"credit_ignored", "a batch is sent though there is no credit for it"},
    {"end_overtakes_data", "the end of input overtakes batches that wait for credit"},
    {"watermark_overtakes_data", "a watermark overtakes batches that wait for credit"},
    {"fastest_channel_counts", "event time follows the fastest channel, not the slowest"},
    {"idle_awaited", "event time waits for a channel that is idle"},
    {"return_unnoticed", "a channel that was idle counts as idle for ever"},
    {"idle_kept", "an operator does not tell those behind it that its inputs are idle"},
    {"batch_after_end", "the last batch is sent to a subtask that was told the end"},
    {"blocked_batch_lost", "a batch is dropped when two wait for credit already"},
    {"one_end_ends_all", "the end of one channel is taken for the end of all"},
    {"early_channel_lost", "a request for a channel that comes before its producer is lost"},
    {"hello_not_answered", "a task manager does not answer another one's greeting"},
    {"slot_kept", "a task manager does not free the slot of a job that is over"},
    {"program_kept", "a job's program stays loaded when the job is over"},
    {"registration_lost", "the second task manager is told that it is registered, and is not"},
    {"cancel_ignored", "a job that is to be cancelled goes on"},
    {"cancel_forgets_a_task", "one of the tasks of a slot that is given up is not cancelled"},
    {"slot_timeout_never_armed", "a request for slots never times out"},
    {"lost_peer_ignored", "tasks are not told that they have lost a peer"},
    {"loss_not_told", "job masters are not told of lost task managers"},
    {"loop_counts_ignored", "a loop is taken for empty when its tasks are, whatever is under way"},
    {"feedback_forgotten", "what is fed back is dropped if the batch before it still waits"},
    {"watcher_forgotten", "a client is not told the end of its job"},
    {"alignment_left_out", "a channel whose barrier has come is read on"},
    {"barrier_kept", "a task does not send barriers on"},
    {"barrier_overtakes_data", "a barrier overtakes batches that wait for credit"},
    {"last_checkpoint_not_awaited",
     "a task ends without the checkpoint that commits its last rows"},
    {"acknowledged_before_upload", "a task acknowledges state that it has not stored"},
    {"stale_acknowledgement_counts",
     "what is acknowledged of an earlier checkpoint counts for the next"},
    {"completion_told_early", "sinks commit before the checkpoint is stored"},
    {"checkpoint_removed_early", "a checkpoint is removed when the next one begins"},
    {"restore_left_out", "a restarted region begins afresh"},
    {"restart_while_storing", "a region is restarted while a checkpoint's outcome is open"},
    {"key_group_lost", "the first key group of each subtask is not restored"},
    {"finished_forgotten", "a subtask that had ended, or emitted everything, is run again"},
    {"lost_splits_forgotten", "splits that a lost reader was given are not given again"},
    {"events_overtake_barrier", "a split assigned behind a trigger gets into the checkpoint"},
    {"queued_batch_not_recorded", "what waits at the inputs is left out of an unaligned snapshot"},
    {"late_batch_not_recorded", "what comes between the snapshot and a barrier is left out of it"},
    {"acknowledged_before_last_barrier", "an unaligned snapshot is taken for whole at once"},
    {"recorded_beyond_barrier", "what waits behind an unaligned barrier is recorded, too"},
    {"overtaken_batch_lost", "what a barrier overtakes at its sender is left out of the snapshot"},
    {"overtaken_batch_not_sent", "what a barrier had overtaken is not sent again"},
    {"replayed_behind_new_input", "batches from a checkpoint are overtaken by new input"},
    {"change_overtakes_snapshot", "what changes while a snapshot is written gets into it"},
    {"failure_ignored", "a failed region is never restarted"},
    {"subsumed_goes_on", "a checkpoint that a later one has overtaken is not given up"},
    {"completion_not_recorded", "the next master does not hear of a completed checkpoint"},
    {"replaced_goes_on", "a process goes on as the master though another one has taken over"},
    {"successor_cleaned_up", "a new master removes what one that comes after it has begun"},
    {"epoch_ignored", "what an earlier master of a job writes counts"},
    {"shared_file_removed_early", "a file goes with the first checkpoint that has it"},
    {"shared_file_kept", "a file stays that no checkpoint has any more"},
    {"base_not_held", "files that a checkpoint under way may refer to go with its base"},
    {"previous_is_base", "a task refers to files of the checkpoint before, complete or not"},
    {"recovered_files_forgotten", "files of an earlier master's checkpoints are not counted"},
    {"earlier_files_cleaned_up", "of several checkpoints that are kept, only the last keeps files"},
    {"timers_beside_files_lost", "what a native snapshot has beside its files is not restored"},
    {"timer_restored_twice", "a timer that is restored fires twice"},
    {"cache_not_flushed", "a native snapshot lacks what is only in the cache"},
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

}  // namespace millrace::sim
