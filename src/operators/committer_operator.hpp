#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
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

/// What a committer does, as calls.
template <class Committable>
struct commit_calls {
  commit_call<Committable> commit;
  /// What will never be committed. May be empty.
  std::function<void(const std::vector<Committable>&)> discard{};
  /// That of an ordered_committer, else empty.
  std::function<result<std::size_t>(const std::vector<Committable>&)> count_uncommitted{};
};

/// When there are no checkpoints to wait for.
enum class commit_without_checkpoints : std::uint8_t {
  at_once,          ///< As soon as the writer has handed something over.
  at_end_of_input,  ///< Everything together.
};

/// How an operator commits.
template <class Committable>
struct committer_plan {
  /// Makes the call for one subtask.
  std::function<commit_calls<Committable>(const committer_context&)> make;
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
  using entry_list = std::vector<entry>;
  static constexpr bool commits = true;

  explicit committer_operator(const committer_plan<Committable>& plan)
      : plan_(plan), queue_(plan.retries) {}

  void open(operator_context& context) override {
    context_ = &context;
    auto& self = context.runtime();
    calls_ = std::make_shared<shared_calls>(plan_.make({self, context.files()}));
    state_ =
        context.operator_state().get_list_state(list_state_descriptor<entry_list>("committables"));
    parallelism_ = context.operator_state().get_union_list_state(
        list_state_descriptor<std::uint32_t>("parallelism"));
    total_ = &self.metric("totalCommittables");
    committed_ = &self.metric("successfulCommittables");
    already_committed_ = &self.metric("alreadyCommittedCommittables");
    retried_ = &self.metric("retriedCommittables");
    if (!context.is_restored()) return;
    is_in_checkpoints_ = true;
    entry_list all;
    for (const auto& of_one : state_.get()) all.insert(all.end(), of_one.begin(), of_one.end());
    queue_.restore(std::move(all));
    is_recovering_ = queue_.has_due();
    if (may_be_overtaken())
      count_uncommitted();
    else
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

  void on_processing_time(timestamp_ms) override {
    if (count_again_ && context_->time().now() >= *count_again_) count_uncommitted();
    go_on();
  }

  void snapshot_state(checkpoint_id id) override {
    is_in_checkpoints_ = true;
    queue_.stamp(id);
    if (queue_.is_empty()) {
      state_.clear();
      parallelism_.clear();
    } else {
      state_.update({queue_.entries()});
      parallelism_.update({context_->runtime().parallelism()});
    }
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
  bool is_committing() const noexcept override { return !has_failed_ && queue_.has_due(); }

  void close() noexcept override {
    if (calls_ == nullptr || !calls_->discard || is_in_checkpoints_) return;
    auto lost = std::make_shared<std::vector<Committable>>();
    for (const auto& each : queue_.entries()) lost->push_back(each.what);
    if (!lost->empty())
      context_->io().submit([calls = calls_, lost] { calls->give_up(*lost); }, [] {});
  }

 private:
  /// The calls for I/O threads, which make them one at a time.
  struct shared_calls : commit_calls<Committable> {
    explicit shared_calls(commit_calls<Committable> calls)
        : commit_calls<Committable>(std::move(calls)) {}

    /// No call after this commits anything: nobody would hear of it.
    void give_up(const std::vector<Committable>& what) {
      std::lock_guard lock(mutex);
      is_over = true;
      this->discard(what);
    }

    std::mutex mutex;
    bool is_over = false;
  };

  /// One call, shared with an I/O thread.
  struct attempt {
    std::shared_ptr<shared_calls> calls;
    std::vector<entry> entries;
    std::vector<commit_result> results;

    void run() {
      std::lock_guard lock(calls->mutex);
      if (calls->is_over) return;
      try {
        results = calls->commit(entries);
      } catch (...) {
        results.assign(entries.size(), commit_result::failed(what_was_thrown()));
      }
    }
  };

  /// The question how much of what was restored is left, shared with an I/O thread.
  struct inquiry {
    std::shared_ptr<shared_calls> calls;
    std::vector<Committable> what;
    std::uint32_t former_parallelism = 0;
    result<std::size_t> left = std::size_t{0};

    void run() {
      std::lock_guard lock(calls->mutex);
      try {
        left = calls->count_uncommitted(what);
      } catch (...) {
        left = tl::unexpected(what_was_thrown());
      }
    }
  };

  /// To be called while an exception of a committer is handled.
  static error what_was_thrown() {
    try {
      throw;
    } catch (const failure& e) {
      return e.what_failed();
    } catch (const std::exception& e) {
      return {errc::user_function, std::string("a committer threw: ") + e.what()};
    } catch (...) {
      return {errc::user_function, "a committer threw"};
    }
  }

  /// Whether other subtasks may commit something newer about the same before what was restored:
  /// keys have moved, and nobody waits. Older snapshots do not say what the parallelism was.
  bool may_be_overtaken() const {
    const auto& former = parallelism_.get();
    const auto now = context_->runtime().parallelism();
    return is_recovering_ && calls_->count_uncommitted && !context_->is_checkpointed() && now > 1 &&
           !former.empty() && former.front() != now;
  }

  /// What is in a savepoint was mostly committed soon after: the job that was stopped with it has
  /// seen to that.
  void count_uncommitted() {
    auto asked = std::make_shared<inquiry>();
    asked->calls = calls_;
    asked->former_parallelism = parallelism_.get().front();
    for (const auto& each : queue_.entries()) asked->what.push_back(each.what);
    is_counting_ = true;
    ++counts_;
    count_again_.reset();
    context_->io().submit([asked] { asked->run(); }, [this, asked] { on_counted(*asked); });
  }

  void on_counted(const inquiry& answered) {
    if (!answered.left && is_retryable(answered.left.error().code) &&
        counts_ < plan_.retries.attempts_max) {
      count_again_ = context_->time().now() + plan_.retries.initial_backoff;
      return context_->wake_at(*count_again_);
    }
    is_counting_ = false;
    if (answered.left && *answered.left == 0) return go_on();
    has_failed_ = true;
    if (!answered.left) throw failure(answered.left.error());
    throw failure(
        errc::invalid_argument,
        std::to_string(*answered.left) + " of " + std::to_string(answered.what.size()) +
            " committables in the snapshot that the job begins with are not committed yet. They "
            "are of parallelism " +
            std::to_string(answered.former_parallelism) + ", now it is " +
            std::to_string(context_->runtime().parallelism()) +
            ", and without checkpoints no subtask waits for another, so that older output could "
            "replace newer: set execution.checkpointing.interval, or start the job with the former "
            "parallelism first, which commits them");
  }

  void go_on() {
    if (is_counting_) return;
    const auto now = context_->time().now();
    if (queue_.is_ready(now)) {
      auto next = std::make_shared<attempt>(attempt{calls_, queue_.take(), {}});
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
  std::shared_ptr<shared_calls> calls_;
  counter* total_ = nullptr;
  counter* committed_ = nullptr;
  counter* already_committed_ = nullptr;
  counter* retried_ = nullptr;
  bool is_recovering_ = false;  // commits what a restart has brought
  bool is_counting_ = false;    // looks first how much of that is left
  std::uint32_t counts_ = 0;    // attempts at it
  std::optional<std::chrono::steady_clock::time_point> count_again_;
  bool has_finished_ = false;
  bool has_failed_ = false;
  /// What was handed over since may be of something that a checkpoint goes on with, such as a file
  /// that was open then: what is lost of it is for the writers of the next attempt to find.
  bool is_in_checkpoints_ = false;
  // Checkpointed.
  commit_queue<Committable> queue_;
  /// One element with all entries: they stay together when the operator gets another parallelism,
  /// as those of one key are to be committed in their order.
  operator_list_state<entry_list> state_;
  /// Of the subtasks that have entries, once for each.
  operator_list_state<std::uint32_t> parallelism_;
};

/// The operator behind a writer, or behind other committers. With `passes_on` there is a global
/// committer behind it.
template <class Committable>
operator_factory_ptr make_committer_operator(committer_plan<Committable> plan, bool passes_on) {
  auto make = [plan = std::move(plan)] {
    return std::make_unique<committer_operator<Committable>>(plan);
  };
  if (passes_on) return make_factory<Committable, Committable>(std::move(make));
  return make_factory<Committable, void>(std::move(make));
}

/// Those of a committer.
template <class Committable>
commit_calls<Committable> calls_of(std::shared_ptr<committer<Committable>> to) {
  auto commit = [to](const std::vector<committable_of_checkpoint<Committable>>& entries) {
    std::vector<Committable> what;
    what.reserve(entries.size());
    for (const auto& each : entries) what.push_back(each.what);
    return to->commit(what);
  };
  auto discard = [to](const std::vector<Committable>& what) { to->discard(what); };
  commit_calls<Committable> calls{std::move(commit), std::move(discard)};
  if (auto ordered = std::dynamic_pointer_cast<ordered_committer<Committable>>(to))
    calls.count_uncommitted = [ordered](const std::vector<Committable>& what) {
      return ordered->count_uncommitted(what);
    };
  return calls;
}

/// Those of a global committer: each checkpoint on its own, in their order. One that can't be
/// committed yet holds up those behind it.
template <class Committable>
commit_calls<Committable> calls_of(std::shared_ptr<global_committer<Committable>> to) {
  auto commit = [to](const std::vector<committable_of_checkpoint<Committable>>& entries) {
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
  return {std::move(commit)};
}

}  // namespace millrace
