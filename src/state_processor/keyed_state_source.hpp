#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/source/fetching_reader.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state_processor/keyed_state_reader_function.hpp"
#include "millrace/state_processor/saved_key_group.hpp"
#include "millrace/state_processor/saved_state_fetcher.hpp"
#include "millrace/state_processor/saved_state_source.hpp"

namespace millrace {

namespace detail {

/// Reads states whatever their names are, and not as a user's function does.
template <class Fn, class Key>
concept opened_with_backend = requires(Fn& fn, keyed_state_backend<Key>& state) {
  fn.open_with_backend(state);
};

/// Lets a function take handles of states that are not for any key yet.
template <class Key, class Fn>
void open_to_read(user_function<Fn>& fn, operator_context& task, keyed_state_backend<Key>& state) {
  state.set_has_key(false);
  if constexpr (opened_with_backend<Fn, Key>) {
    fn->open_with_backend(state);
  } else {
    keyed_runtime_context<Key> runtime(task, state);
    fn.open_with(task, runtime);
  }
  state.set_has_key(true);
}

/// The names of the states that a function asks for.
template <class Key, class Fn>
std::set<std::string> states_asked_by(const Fn& fn, operator_context& task,
                                      const saved_state_query& query) {
  keyed_state_backend<Key> none({.operator_name = task.runtime().operator_name(),
                                 .operator_uid = query.uid,
                                 .subtask_index = task.runtime().subtask_index(),
                                 .groups = {0, 0},
                                 .max_parallelism = 1,
                                 .time = &task.time()});
  user_function<Fn> opened(fn);
  open_to_read(opened, task, none);
  std::set<std::string> names;
  for (const auto& each : none.states()) names.insert(each.name);
  opened.close();
  return names;
}

/// One key group of a snapshot as live state, which a function goes through key by key. State of a
/// snapshot has the same form whatever its backend was; here it is in memory, a group at a time.
template <class Key, class Out, class Fn>
class key_group_scan {
 public:
  key_group_scan(operator_context& task, const saved_state_split& split, saved_piece piece,
                 const Fn& fn)
      : group_(split.subject(), piece.number, std::move(piece.groups)),
        state_({.operator_name = split.operator_name,
                .operator_uid = split.operator_uid,
                .subtask_index = task.runtime().subtask_index(),
                .groups = {piece.number, piece.number},
                .max_parallelism = split.max_parallelism,
                .time = &task.time()}),
        fn_(fn) {}

  /// Before the first read().
  void open(operator_context& task) {
    group_.check_key_type(fingerprint_of<Key>());
    open_to_read(fn_, task, state_);
    group_.restore_to(state_);
    keys_ = group_.keys(state_.states());
  }

  /// Reads a few keys from the `done`th on, and counts them. Whether any is left.
  bool read(std::uint64_t& done, collector<Out>& out) {
    constexpr int keys_at_once = 128;
    for (int i = 0; i < keys_at_once && done < keys_.size(); ++i, ++done) {
      const byte_view encoded = keys_[done];
      auto key = decode_bytes<Key>(encoded);
      if (!key) throw failure(key.error());
      auto timers = group_.timers_of(encoded);
      context_.set_timers(std::move(timers.event_time), std::move(timers.processing_time));
      state_.set_current_key(*key);
      fn_->read_key(state_.current_key(), context_, out);
    }
    if (done < keys_.size()) return true;
    fn_.finish();
    return false;
  }
  void close() noexcept { fn_.close(); }

 private:
  saved_key_group group_;
  keyed_state_backend<Key> state_;
  user_function<Fn> fn_;
  keyed_state_reader_context context_;
  std::vector<byte_view> keys_;  // of group_
};

}  // namespace detail

/// Reads the key groups of its splits, one at a time. Tells the enumerator first which states the
/// function asks for: whether there are such states no reader can say, as each has some of the key
/// groups only.
template <class Key, class Out, class Fn>
class keyed_state_reader final : public fetching_reader<Out, saved_state_split, saved_piece> {
  using base = fetching_reader<Out, saved_state_split, saved_piece>;

 public:
  keyed_state_reader(reader_context& context, const saved_state_query& query, const Fn& fn)
      : base(context, {.open_max = 1, .requests_splits = true}),
        fetching_(context.task().files(), query),
        query_(query),
        fn_(fn) {}

  void start() override {
    const auto asked = detail::states_asked_by<Key>(fn_, this->context().task(), query_);
    this->context().send_event(encode_to_bytes(asked));
    base::start();
  }
  void close() noexcept override {
    base::close();
    if (scan_) scan_->close();
    scan_.reset();
  }

 protected:
  typename base::opener open_split(const saved_state_split& split) override {
    return fetching_.open(split);
  }

  bool emit(saved_state_split& split, saved_piece& piece, source_output<Out>& out) override {
    if (!piece.groups.empty() && !scan_) {
      scan_ = std::make_unique<scan>(this->context().task(), split, std::move(piece), fn_);
      scan_->open(this->context().task());
    }
    split.next = piece.number;
    if (scan_ && scan_->read(split.done, out)) return true;
    scan_.reset();
    split.next = piece.number + 1;
    split.done = 0;
    return false;
  }

 private:
  using scan = detail::key_group_scan<Key, Out, Fn>;

  saved_state_fetching fetching_;
  saved_state_query query_;
  Fn fn_;
  std::unique_ptr<scan> scan_;  // of the group in turn
};

/// The keyed state of an operator of a snapshot, as what a function makes of each key.
template <class Key, class Out, class Fn>
class keyed_state_source final : public saved_state_source<Out> {
 public:
  keyed_state_source(saved_state_query query, Fn fn)
      : saved_state_source<Out>(std::move(query)), fn_(std::move(fn)) {}

  std::unique_ptr<source_reader<Out, saved_state_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<keyed_state_reader<Key, Out, Fn>>(context, this->query(), fn_);
  }

 private:
  Fn fn_;
};

}  // namespace millrace
