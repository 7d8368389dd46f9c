#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/operators/commit_queue.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// One attempt to commit entries in the order of their checkpoints; a result for each. Blocks.
template <class Committable>
using commit_call = std::function<std::vector<commit_result>(
    const std::vector<committable_of_checkpoint<Committable>>&)>;

/// When there are no checkpoints to wait for.
enum class commit_without_checkpoints : std::uint8_t {
  at_once,          ///< As soon as the writer has handed something over.
  at_end_of_input,  ///< Everything together.
};

/// How an operator commits.
template <class Committable>
struct committer_plan {
  /// Makes the call for one subtask.
  std::function<commit_call<Committable>(const committer_context&)> make;
  commit_retry_policy retries{};
  commit_without_checkpoints otherwise = commit_without_checkpoints::at_once;
};

/// Keeps what writers hand over as operator state until its checkpoint is complete, then commits
/// it, again and again if need be (Flink's CommitterOperator). After a restart it first commits
/// what the checkpoint had; until that is done it takes nothing, so that no later checkpoint comes
/// before it. Committables also go on to the output, for a global committer.
///
/// A committer whose input has ended is busy until all is committed that may be; what waits for a
/// last checkpoint is committed when the task hears of it.
template <class Committable>
class committer_operator final : public producing<Committable> {
 public:
  using entry = committable_of_checkpoint<Committable>;

  explicit committer_operator(const committer_plan<Committable>& plan)
      : plan_(plan), queue_(plan.retries) {}

  void open(operator_context& context) override {
    context_ = &context;
    auto& self = context.runtime();
    call_ = std::make_shared<commit_call<Committable>>(plan_.make({self, context.files()}));
    state_ = context.operator_state().get_list_state(list_state_descriptor<entry>("committables"));
    total_ = &self.metric("totalCommittables");
    committed_ = &self.metric("successfulCommittables");
    already_committed_ = &self.metric("alreadyCommittedCommittables");
    retried_ = &self.metric("retriedCommittables");
    if (!context.is_restored()) return;
    queue_.restore(state_.get());
    is_recovering_ = queue_.has_due();
    go_on();
  }

  void process(std::size_t, batch& rows, rows_access access) override {
    const auto& committables = rows_of<Committable>(rows);
    total_->add(committables.size());
    for (const auto& each : committables) queue_.add(each);
    this->out_.target().push(rows, access);
    if (!context_->is_checkpointed() && plan_.otherwise == commit_without_checkpoints::at_once)
      queue_.complete_all();
    go_on();
  }

  void on_processing_time(timestamp_ms) override { go_on(); }

  void snapshot_state(checkpoint_id id) override {
    queue_.stamp(id);
    state_.update(queue_.entries());
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    queue_.complete(id);
    go_on();
  }

  bool finish() override {
    if (!context_->is_checkpointed()) queue_.complete_all();
    has_finished_ = true;
    go_on();
    return true;
  }
  bool is_busy() const noexcept override {
    return !has_failed_ && (is_recovering_ || (has_finished_ && queue_.has_due()));
  }

 private:
  /// One call, shared with an I/O thread.
  struct attempt {
    std::shared_ptr<commit_call<Committable>> call;
    std::vector<entry> entries;
    std::vector<commit_result> results;

    void run() {
      error why{errc::user_function, "a committer threw"};
      try {
        results = (*call)(entries);
        return;
      } catch (const failure& e) {
        why = e.what_failed();
      } catch (const std::exception& e) {
        why.message += std::string(": ") + e.what();
      } catch (...) {
      }
      results.assign(entries.size(), commit_result::failed(why));
    }
  };

  void go_on() {
    const auto now = context_->time().now();
    if (queue_.is_ready(now)) {
      auto next = std::make_shared<attempt>(attempt{call_, queue_.take(), {}});
      context_->io().submit([next] { next->run(); }, [this, next] { settle(next->results); });
    } else if (const auto when = queue_.next_attempt()) {
      context_->wake_at(*when);
    }
  }

  void settle(const std::vector<commit_result>& results) {
    const auto found = queue_.settle(results, context_->time().now());
    committed_->add(found.committed);
    already_committed_->add(found.already_committed);
    retried_->add(found.retried);
    if (found.failure) {
      has_failed_ = true;
      throw failure(*found.failure);
    }
    if (!queue_.has_due()) is_recovering_ = false;
    go_on();
  }

  committer_plan<Committable> plan_;
  operator_context* context_ = nullptr;
  std::shared_ptr<commit_call<Committable>> call_;
  counter* total_ = nullptr;
  counter* committed_ = nullptr;
  counter* already_committed_ = nullptr;
  counter* retried_ = nullptr;
  bool is_recovering_ = false;  // commits what a restart has brought
  bool has_finished_ = false;
  bool has_failed_ = false;
  // Checkpointed.
  commit_queue<Committable> queue_;
  operator_list_state<entry> state_;
};

/// The operator behind a writer, or behind other committers. With `passes_on` there is a global
/// committer behind it.
template <class Committable>
std::shared_ptr<const operator_factory> make_committer_operator(committer_plan<Committable> plan,
                                                                bool passes_on) {
  auto make = [plan = std::move(plan)] {
    return std::make_unique<committer_operator<Committable>>(plan);
  };
  if (passes_on) return make_factory<Committable, Committable>(std::move(make));
  return make_factory<Committable, void>(std::move(make));
}

/// A committer as a call.
template <class Committable>
commit_call<Committable> call_of(std::shared_ptr<committer<Committable>> to) {
  return [to = std::move(to)](const auto& entries) {
    std::vector<Committable> what;
    what.reserve(entries.size());
    for (const auto& each : entries) what.push_back(each.what);
    return to->commit(what);
  };
}

/// A global committer as a call: each checkpoint on its own, in their order. One that can't be
/// committed yet holds up those behind it.
template <class Committable>
commit_call<Committable> call_of(std::shared_ptr<global_committer<Committable>> to) {
  return [to = std::move(to)](const auto& entries) {
    std::vector<commit_result> results;
    results.reserve(entries.size());
    while (results.size() < entries.size()) {
      const auto id = entries[results.size()].checkpoint;
      std::vector<Committable> all;
      for (auto i = results.size(); i < entries.size() && entries[i].checkpoint == id; ++i)
        all.push_back(entries[i].what);
      const auto outcome = to->commit(checkpoint_id{id}, all);
      const bool goes_on = outcome.status == commit_status::committed ||
                           outcome.status == commit_status::already_committed;
      results.resize(goes_on ? results.size() + all.size() : entries.size(), outcome);
    }
    return results;
  };
}

}  // namespace millrace
