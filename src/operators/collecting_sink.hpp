#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// Where the subtasks of a collecting sink, in this process, put what they get. Thread-safe; locked
/// once per batch.
template <class T>
class collected_rows {
 public:
  explicit collected_rows(std::size_t limit = std::numeric_limits<std::size_t>::max())
      : limit_(limit) {}

  void add(std::uint32_t subtask, row_vector<T>& rows, rows_access access) {
    std::lock_guard lock(mutex_);
    add_locked(subtask, rows, access);
  }
  /// What became final with a checkpoint; nothing if it was added before, by another attempt.
  void add_of(std::uint32_t subtask, std::uint64_t checkpoint, row_vector<T> rows) {
    std::lock_guard lock(mutex_);
    auto& last = last_checkpoint_[subtask];
    if (checkpoint <= last) return;
    last = checkpoint;
    add_locked(subtask, rows, rows_access::exclusive);
  }
  /// The subtask begins afresh, and will bring its rows again.
  void forget(std::uint32_t subtask) {
    std::lock_guard lock(mutex_);
    std::erase_if(parts_, [&](const part& p) {
      if (p.subtask != subtask) return false;
      size_ -= p.rows.size();
      return true;
    });
  }

  bool is_full() const {
    std::lock_guard lock(mutex_);
    return size_ >= limit_;
  }

  std::vector<T> take() {
    std::lock_guard lock(mutex_);
    std::vector<T> all;
    all.reserve(size_);
    for (auto& p : std::exchange(parts_, {}))
      all.insert(all.end(), std::make_move_iterator(p.rows.begin()),
                 std::make_move_iterator(p.rows.end()));
    size_ = 0;
    return all;
  }

 private:
  struct part {
    std::uint32_t subtask = 0;
    std::vector<T> rows;
  };

  void add_locked(std::uint32_t subtask, row_vector<T>& rows, rows_access access) {
    const auto taken = std::min(rows.size(), limit_ - size_);
    if (taken == 0) return;
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(taken);
    // Batches of one subtask in a row grow one part.
    if (parts_.empty() || parts_.back().subtask != subtask) parts_.push_back({subtask, {}});
    auto& to = parts_.back().rows;
    if (access == rows_access::exclusive)
      to.insert(to.end(), std::move_iterator(rows.begin()), std::move_iterator(end));
    else
      to.insert(to.end(), rows.begin(), end);
    size_ += taken;
  }

  mutable std::mutex mutex_;
  std::vector<part> parts_;  // in the order of their coming
  std::size_t size_ = 0;
  std::map<std::uint32_t, std::uint64_t> last_checkpoint_;  // whose rows are here, by subtask
  std::size_t limit_;
};

/// Rows that a collecting sink got before a checkpoint, as a checkpoint keeps them.
template <class T>
struct collected_part {
  std::uint64_t checkpoint = 0;
  std::vector<T> rows;
};

/// Hands its rows to the program that runs the job; if there are checkpoints, once the one behind
/// them is complete, so that each row comes once whatever fails. Without them, a subtask that is
/// restarted begins afresh, and what it had brought is forgotten.
template <class T>
class collecting_sink final : public stream_operator {
 public:
  explicit collecting_sink(std::shared_ptr<collected_rows<T>> rows) : rows_(std::move(rows)) {}

  void open(operator_context& context) override {
    subtask_ = context.runtime().subtask_index();
    is_checkpointed_ = context.is_checkpointed();
    if constexpr (!encodable<T>) refuse_checkpoints(context, "its records have no encoding");
    if (!is_checkpointed_) {
      if (context.runtime().attempt() > 0) rows_->forget(subtask_);
      return;
    }
    if constexpr (encodable<T>) {
      kept_ = context.operator_state().get_list_state(
          list_state_descriptor<collected_part<T>>("collected"));
      // The checkpoint is complete, or nothing would be restored from it.
      for (const auto& part : kept_.get())
        rows_->add_of(subtask_, part.checkpoint, {part.rows.begin(), part.rows.end()});
      kept_.clear();
    }
  }

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& in = rows_of<T>(rows);
    if (!is_checkpointed_) return rows_->add(subtask_, in, access);
    if (access == rows_access::exclusive)
      since_.insert(since_.end(), std::move_iterator(in.begin()), std::move_iterator(in.end()));
    else
      since_.insert(since_.end(), in.begin(), in.end());
  }

  void snapshot_state(checkpoint_id id) override {
    if (!since_.empty()) waiting_[id.number] = std::exchange(since_, {});
    if constexpr (encodable<T>) {
      kept_.clear();
      for (const auto& [checkpoint, rows] : waiting_)
        kept_.add({checkpoint, {rows.begin(), rows.end()}});
    }
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    while (!waiting_.empty() && waiting_.begin()->first <= id.number) {
      auto first = waiting_.extract(waiting_.begin());
      rows_->add_of(subtask_, first.key(), std::move(first.mapped()));
    }
  }

 private:
  std::shared_ptr<collected_rows<T>> rows_;
  std::uint32_t subtask_ = 0;
  bool is_checkpointed_ = false;
  // -- checkpointed
  row_vector<T> since_;                             // the last barrier
  std::map<std::uint64_t, row_vector<T>> waiting_;  // by the checkpoint that they wait for
  operator_list_state<collected_part<T>> kept_;
};

template <class T>
std::shared_ptr<const operator_factory> make_collecting_sink(
    std::shared_ptr<collected_rows<T>> rows) {
  return make_factory<T, void>([rows] { return std::make_unique<collecting_sink<T>>(rows); });
}

}  // namespace millrace
