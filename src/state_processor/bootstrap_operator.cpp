#include "millrace/state_processor/bootstrap_operator.hpp"

#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/operator_state.hpp"
#include "millrace/state_processor/saved_operator.hpp"
#include "millrace/stream/task_snapshot.hpp"

namespace millrace {

bootstrap_operator::bootstrap_operator(bootstrap_target target) : target_(std::move(target)) {}

bootstrap_operator::~bootstrap_operator() = default;

void bootstrap_operator::open(operator_context& context) {
  refuse_checkpoints(context, "the state that it makes is stored at the end of its input");
  context_ = &context;
  // Better now than after all the work.
  is_waiting_ = true;
  auto is_free = std::make_shared<status>();
  context.io().submit([is_free, path = target_.path,
                       files = &context.files()] { *is_free = check_path_is_free(*files, path); },
                      [this, is_free] {
                        is_waiting_ = false;
                        if (!*is_free) throw failure(is_free->error());
                      });
}

bool bootstrap_operator::finish() {
  constexpr std::size_t slice_bytes = std::size_t{256} << 10;
  auto& keyed = context_->keyed_state();
  if (phase_ == phase::filling) {
    finish_function();
    keyed.begin_snapshot();
    phase_ = phase::taking;
  }
  if (phase_ == phase::taking) {
    snapshot_budget budget(slice_bytes);
    if (keyed.write_snapshot(budget)) store();
    return false;
  }
  out_.emit(std::move(*written_));
  out_.flush();
  return true;
}

void bootstrap_operator::store() {
  struct storing {
    task_snapshot snapshot;
    result<stored_task_state> stored;
  };
  phase_ = phase::storing;
  is_waiting_ = true;
  const auto& self = context_->runtime();
  written_ = std::make_shared<written_subtask>(written_subtask{target_.uid,
                                                               target_.uid,
                                                               self.max_parallelism(),
                                                               {},
                                                               self.parallelism(),
                                                               self.subtask_index(),
                                                               false,
                                                               {},
                                                               {}});
  auto state = std::make_shared<storing>();
  auto& op = state->snapshot.operators.emplace_back();
  op.keyed_state = context_->keyed_state().take_snapshot();
  op.operator_state = context_->operator_state().snapshot();
  const execution_attempt_id who{{}, target_.number, self.subtask_index(), self.attempt()};
  context_->io().submit(
      [state, who, directory = unfinished_path(target_.path),
       threshold = target_.memory_threshold_bytes, files = &context_->files()] {
        state->stored =
            make_lasting_directory(*files, directory)
                .and_then([&] { return with_free_state_file(*files, directory, who); })
                .and_then([&](const execution_attempt_id& free) {
                  return store_task_state(*files, directory, free, state->snapshot, threshold);
                });
      },
      [this, state] {
        is_waiting_ = false;
        if (!state->stored) throw failure(state->stored.error());
        written_->state = std::move(state->stored->operators.front());
        written_->types = std::move(state->stored->types);
      });
}

}  // namespace millrace
