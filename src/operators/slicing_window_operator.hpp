#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "millrace/core/key_group.hpp"
#include "millrace/operators/former_watermarks.hpp"
#include "millrace/operators/slice_list.hpp"
#include "millrace/operators/window_operator.hpp"
#include "millrace/operators/window_slices.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// Tumbling and sliding windows of event time with the default trigger, whose content is an
/// aggregate: each record is added to one slice, however many windows it belongs to, and a window's
/// result is merged from its slices when it fires (as Flink SQL's SlicingWindowOperator; Flink's
/// DataStream API adds each record to each window). State per key: one value with its slices. The
/// results are those of `window_operator`, provided that the order in which records are aggregated
/// does not matter.
///
/// The results of a key come in the order of its windows. Where a watermark completes several
/// windows that overlap, they come key by key.
///
/// A key is due at one time: the end of the next window that has one of its slices, or else of the
/// newest slice's allowed lateness. Late records within it emit the windows that they change at
/// once. Where subtasks were apart when the parallelism changed, what is late for a key is what was
/// late for it where it was before.
template <class T, class Out, class KeyOf, class Assigner, class Contents, class Function>
class slicing_window_operator final : public producing<Out> {
 public:
  using settings = window_settings<T, KeyOf, Assigner, event_time_trigger, Contents, Function>;
  using key = key_type<T, KeyOf>;

  explicit slicing_window_operator(settings how)
      : geometry_(how.assigner.size_ms(), how.assigner.slide_ms(), how.assigner.offset_ms()),
        lateness_(how.allowed_lateness_ms),
        keys_(std::move(how.key_of)),
        contents_(std::move(how.contents)),
        function_(std::move(how.function)),
        late_(std::move(how.late_tag)) {}

  void open(operator_context& context) override {
    context_ = &context;
    backend_ = &context.keyed_backend<key>();
    due_ = &backend_->schedule("_due-slices");
    lists_ = backend_->get_state(value_state_descriptor<list>("_slices"));
    saved_watermark_ = context.operator_state().get_union_list_state(
        list_state_descriptor<timestamp_ms>("_watermark"));
    whose_watermark_ = context.operator_state().get_union_list_state(
        list_state_descriptor<std::int64_t>("_watermark-of"));
    saved_former_ = context.operator_state().get_union_list_state(
        list_state_descriptor<key_group_watermark>("_former-watermarks"));
    saved_fired_until_ = context.operator_state().get_union_list_state(
        list_state_descriptor<timestamp_ms>("_fired-until"));
    restore_watermark(context.runtime());
    side_.open(context);
    late_.open(context, side_);
    contents_.open(context);
    keyed_runtime_context<key> runtime(context, *backend_);
    function_.open_with(context, runtime);
  }

  void process(std::size_t, batch& rows, rows_access) override {
    const auto& in = typed<T>(rows);
    if (in.timestamps.empty() && !in.rows.empty()) throw_record_without_timestamp();
    now_ = context_->time().wall_ms();
    for (std::size_t begin = 0; begin < in.size(); begin += keys_.rows_max) {
      const auto count = std::min(keys_.rows_max, in.size() - begin);
      keys_.find(&in.rows[begin], count);
      backend_->prefetch(keys_.keys(), keys_.hashes());
      find_lists(keys_.hashes(), [this](std::size_t i) -> decltype(auto) { return keys_.at(i); });
      for_each_found([this](const list& all) {
        if (all.newest.start < current_.start) all.prefetch_end();
      });
      for (std::size_t i = 0; i < count; ++i) add(in.rows[begin + i], in.timestamps[begin + i], i);
    }
    this->out_.flush();
    side_.flush();
  }

  void on_watermark(timestamp_ms at) override {
    watermark_ = std::max(watermark_, at);
    fired_until_ = std::max(watermark_, fired_until_);
    former_.catch_up(watermark_);
    now_ = context_->time().wall_ms();
    due_->advance(at, [this](timestamp_ms due, const auto& block) { fire_block(due, block); });
    this->out_.flush();
    producing<Out>::on_watermark(at);
  }

  void snapshot_state(checkpoint_id) override {
    const auto& self = context_->runtime();
    saved_watermark_.update({watermark_});
    whose_watermark_.update({self.subtask_index(), self.parallelism()});
    saved_former_.update(former_.above(watermark_));
    saved_fired_until_.update({fired_until_});
  }

  bool finish() override {
    contents_.finish();
    function_.finish();
    return true;
  }
  void close() noexcept override {
    contents_.close();
    function_.close();
  }

 private:
  using accumulator = typename Contents::accumulator;
  using list = slice_list<accumulator>;

  /// Which windows have fired is known by the watermark alone, so it must not fall behind what it
  /// was when the state was saved: a late record would be taken for one of a window to come, which
  /// fires again with less than it had. Keys of a subtask that was ahead go by its watermark until
  /// this one's has caught up.
  void restore_watermark(const runtime_context& self) {
    const auto& watermarks = saved_watermark_.get();
    const auto& owners = whose_watermark_.get();
    if (watermarks.empty()) return;
    if (owners.size() == 2 * watermarks.size()) {
      watermark_ = restore_former(watermarks, owners);
    } else if (owners.empty() && watermarks.size() == self.parallelism()) {
      watermark_ = watermarks[self.subtask_index()];  // as states had it before they said whose
    } else {
      // Nobody knows whose keys these were. At a barrier that was aligned they are mostly the same;
      // where they are not, windows of some keys have fired already that are not late yet.
      watermark_ = *std::min_element(watermarks.begin(), watermarks.end());
      for (const auto each : watermarks)
        if (each != max_watermark) fired_until_ = std::max(fired_until_, each);
    }
    // Of an input that had ended no window is left, and what goes on begins anew.
    if (watermark_ == max_watermark) watermark_ = no_timestamp;
    // But windows that are never over are left, and fire again with what is added to them.
    for (const auto each : saved_fired_until_.get())
      if (each != max_watermark || has_unending_lateness())
        fired_until_ = std::max(fired_until_, each);
    fired_until_ = std::max({fired_until_, watermark_, former_.latest()});
    former_.catch_up(watermark_);
  }

  /// Returns the least watermark of those that owned this subtask's key groups, `max_watermark` if
  /// all had ended.
  timestamp_ms restore_former(const std::vector<timestamp_ms>& watermarks,
                              const std::vector<std::int64_t>& owners) {
    former_ = former_watermarks(backend_->groups(), backend_->max_parallelism());
    auto least = max_watermark;
    for (std::size_t i = 0; i < watermarks.size(); ++i) {
      // Where event time had ended all windows have fired, and those that are over have no slices
      // any more. Records come for these keys only if the job was drained or changed, and reads on:
      // if that end counted, all of them would be late for ever. So these keys begin anew, as if
      // everybody had ended, and go by the others' watermark, behind which those records come. What
      // a window emits then is of records that it has not emitted before, or of all.
      if (watermarks[i] == max_watermark) continue;
      const auto owned =
          key_group_range_of(static_cast<std::uint32_t>(owners[2 * i]), backend_->max_parallelism(),
                             static_cast<std::uint32_t>(owners[2 * i + 1]));
      if (former_.raise(owned, watermarks[i])) least = std::min(least, watermarks[i]);
    }
    // What was late for a key's former owner because of the owners before it.
    for (const auto& each : saved_former_.get())
      former_.raise({each.group, each.group}, each.watermark);
    return least;
  }

  /// How far event time has come for a key.
  timestamp_ms watermark_of(std::uint64_t hash) const noexcept {
    return std::max(watermark_, former_.of(hash));
  }

  void add(const T& row, timestamp_ms at, std::size_t i) {
    // Most records belong to the slice of the one before.
    if (at < current_.start || at >= current_.end) find_slice(at);
    if (current_.is_in_gap) return;
    if (current_.first_window_end - 1 <= fired_until_) [[unlikely]]
      return add_behind(row, at, i);
    if (list* all = found(i)) {
      if (all->newest.start == current_.start) [[likely]]
        return contents_->add(all->newest.content, row, at);
      backend_->set_current_key(keys_.at(i), keys_.hash(i));
      return add_apart(*all, row, at);
    }
    backend_->set_current_key(keys_.at(i), keys_.hash(i));
    found_count_ = 0;  // if a list is made now, others may move
    list& all = lists_.get_or_default();
    if (all.newest.start == current_.start) [[likely]]
      return contents_->add(all.newest.content, row, at);
    add_apart(all, row, at);
  }

  /// To another slice than the key's newest one.
  [[gnu::noinline]] void add_apart(list& all, const T& row, timestamp_ms at) {
    if (add_to_slice(all, row, at)) expect(all, current_.first_window_end - 1);
  }

  /// Late, or behind windows that have fired for other keys.
  [[gnu::noinline]] void add_behind(const T& row, timestamp_ms at, std::size_t i) {
    const auto watermark = watermark_of(keys_.hash(i));
    const auto due = current_.first_window_end - 1;
    const bool is_late = due <= watermark;
    if (is_late && is_over(current_.last_window_end, watermark)) return late_.add(row, at);
    backend_->set_current_key(keys_.at(i), keys_.hash(i));
    list* all = found(i);
    if (all == nullptr) {
      found_count_ = 0;  // if a list is made now, others may move
      all = &lists_.get_or_default();
    }
    add_to_slice(*all, row, at);
    if (is_late) return add_late(*all, row, at, watermark);
    // Also if the slice is not new, as its window may have fired: one that is never over, before
    // event time began anew, or that of an owner whom the state does not say.
    expect(*all, due);
  }

  /// Whether the slice was made for it.
  bool add_to_slice(list& all, const T& row, timestamp_ms at) {
    auto [into, is_new] = all.at(current_.start);
    if (is_new)
      contents_->add_first(into.content, row, at);
    else
      contents_->add(into.content, row, at);
    return is_new;
  }

  /// Windows that have fired already fire again with the late record, unless they are over.
  void add_late(list& all, const T& row, timestamp_ms at, timestamp_ms watermark) {
    if (all.stacks) all.stacks->on_late(row, at, current_.start, *contents_);
    for (auto end = current_.last_window_end; end >= current_.first_window_end;
         end -= geometry_.slide())
      if (end - 1 <= watermark && !is_over(end, watermark)) emit(all, window_until(end));
    expect(all, next_due(all, geometry_.last_end_until(watermark)));
  }

  /// Makes the current key due at `when`, if it is not due earlier.
  void expect(list& all, timestamp_ms when) {
    if (when >= all.due) return;
    all.due = when;
    due_->add(backend_->current_key_hash(), backend_->current_key(), when);
  }

  bool has_overlaps() const noexcept { return geometry_.slide() < geometry_.size(); }

  /// Looks up the lists of a block of keys ahead of their use and of everything else, so that the
  /// look-ups run side by side. Finds none if the backend can't say that they stay where they are.
  template <class KeyAt>
  void find_lists(std::span<const std::uint64_t> hashes, KeyAt&& key_at) {
    found_count_ = 0;
    if (!backend_->is_in_memory()) return;
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      backend_->set_current_key(key_at(i), hashes[i]);
      found_[i] = lists_.find_in_place();
    }
    found_count_ = hashes.size();
  }
  list* found(std::size_t i) const noexcept { return i < found_count_ ? found_[i] : nullptr; }
  template <class Visit>
  void for_each_found(Visit&& visit) const {
    for (std::size_t i = 0; i < found_count_; ++i)
      if (found_[i] != nullptr) visit(*found_[i]);
  }

  template <class Block>
  void fire_block(timestamp_ms due, const Block& block) {
    backend_->prefetch(block.keys, block.hashes);
    found_count_ = 0;
    if (has_overlaps()) {
      // Much was done for other keys since the last window of these, and what they need has left
      // the caches: waiting for it key by key would be most of the time that results take.
      find_lists(block.hashes, [&](std::size_t i) -> const key& { return block.keys[i]; });
      for_each_found([](const list& all) { all.prefetch(); });
      for_each_found([](const list& all) { all.prefetch_sums(); });
    }
    const auto end = geometry_.last_end_until(due);
    const auto needed_from = first_needed(has_overlaps() ? watermark_ : due);
    for (std::size_t i = 0; i < block.keys.size(); ++i) {
      backend_->set_current_key(block.keys[i], block.hashes[i]);
      list* all = found(i);
      if (all == nullptr) {
        found_count_ = 0;
        all = &lists_.get_or_default();
      }
      // It may have become due earlier meanwhile, and was dealt with then.
      const bool is_stale = all->due != due;
      if (is_stale ? all->is_empty() : !fire(*all, due, end)) {
        found_count_ = 0;  // another one takes its place
        lists_.clear();
        continue;
      }
      if (is_stale) continue;
      all->forget_before(needed_from);
      if (all->due != list::never) due_->add(block.hashes[i], std::move(block.keys[i]), all->due);
    }
  }

  /// Does what is due for the current key; false if there is nothing left of it. `end` is that of
  /// the last window that is complete at `due`.
  bool fire(list& all, timestamp_ms due, timestamp_ms end) {
    for (;;) {
      if (end == due + 1) emit_next(all, window_until(end));
      all.due = next_due(all, end);
      if (all.due <= due) return false;
      // The next window shares most of its slices, which are near now and will not be later.
      if (all.due > watermark_ || all.due == list::never || !has_overlaps()) return true;
      due = all.due;
      end = geometry_.last_end_until(due);
    }
  }

  /// When something is to be done for a key, all windows until `end` having fired. Not later than
  /// `end` if there is nothing any more.
  timestamp_ms next_due(const list& all, timestamp_ms end) const noexcept {
    const auto next = window_until(end + geometry_.slide());
    const auto near = all.stacks ? (*all.stacks).before_until : all.size();
    const auto until = all.count_before(next.end, near);
    if (until > 0 && all[until - 1].start >= next.start) return next.max_timestamp();
    return until < all.size() ? geometry_.first_window_end(all[until].start) - 1
                              : over_at(geometry_.last_window_end(all.newest.start));
  }

  timestamp_ms over_at(timestamp_ms end) const noexcept {
    return saturating_add(end - 1, lateness_);
  }
  bool is_over(timestamp_ms end, timestamp_ms watermark) const noexcept {
    return over_at(end) <= watermark;
  }
  /// Whether there may be windows that are not even over at the end of event time.
  bool has_unending_lateness() const noexcept {
    constexpr timestamp_ms last_end = 5 * span_max_ms;  // of all windows of placeable times
    return over_at(last_end) == max_watermark;
  }
  /// All windows of slices that begin before this are over once event time has come to `at`.
  timestamp_ms first_needed(timestamp_ms at) const noexcept {
    const auto over = saturating_subtract(at, lateness_);
    if (!is_placeable(over)) return no_timestamp;
    return geometry_.last_end_until(over) - geometry_.size() + geometry_.slide();
  }
  time_window window_until(timestamp_ms end) const noexcept {
    return {end - geometry_.size(), end};
  }

  /// The result of a window that is complete now. Nothing if it has no records.
  void emit_next(list& all, const time_window& window) {
    if (!all.stacks && all.older.size() < list::stacks_worth_slices) return emit(all, window);
    const auto* sum = all.stacks.get_or_make().sum(all, window, *contents_, scratch_);
    if (sum != nullptr) give(window, *sum);
  }

  /// The result of any window.
  void emit(const list& all, const time_window& window) {
    const auto run = all.run(window.start, window.end, all.size());
    if (run.is_empty()) return;
    if (run.begin + 1 == run.end) return give(window, all[run.begin].content);
    scratch_ = all[run.begin].content;
    for (auto i = run.begin + 1; i < run.end; ++i) contents_->merge(scratch_, all[i].content);
    give(window, scratch_);
  }

  void give(const time_window& window, const accumulator& content) {
    this->out_.set_timestamp(window.max_timestamp());
    const auto watermark = watermark_of(backend_->current_key_hash());
    window_context<key, time_window> context(*backend_, side_, window, watermark, now_, false);
    (*function_)(backend_->current_key(), context, contents_->result(content), this->out_);
  }

  void find_slice(timestamp_ms at) {
    if (!is_placeable(at)) throw_unplaceable_timestamp(at);
    const auto start = geometry_.slice_start(at);
    current_ = {start, geometry_.slice_end(start), geometry_.first_window_end(start),
                geometry_.last_window_end(start), geometry_.is_in_gap(start)};
  }

  struct slice_times {
    timestamp_ms start = 0;
    timestamp_ms end = 0;
    timestamp_ms first_window_end = 0;
    timestamp_ms last_window_end = 0;
    bool is_in_gap = false;
  };

  slice_geometry geometry_;
  std::int64_t lateness_;
  key_block<T, KeyOf> keys_;
  user_function<Contents> contents_;
  user_function<Function> function_;
  late_records<T> late_;
  side_outputs side_;
  operator_context* context_ = nullptr;
  slice_times current_;  // of the record before
  timestamp_ms watermark_ = no_timestamp;
  timestamp_ms fired_until_ = no_timestamp;  // windows of some key may have; not below watermark_
  former_watermarks former_;                 // of keys that are ahead of watermark_
  timestamp_ms now_ = no_timestamp;
  accumulator scratch_{};
  std::array<list*, std::max(key_block<T, KeyOf>::rows_max, key_schedule<key>::block_keys_max)>
      found_{};                  // of a block of keys, null for new ones
  std::size_t found_count_ = 0;  // that may be used

  // checkpointed, by the backend
  keyed_state_backend<key>* backend_ = nullptr;
  key_schedule<key>* due_ = nullptr;
  value_state<list> lists_;
  operator_list_state<timestamp_ms> saved_watermark_;      // one of each subtask
  operator_list_state<std::int64_t> whose_watermark_;      // of each its index and its parallelism
  operator_list_state<key_group_watermark> saved_former_;  // of groups that are ahead
  operator_list_state<timestamp_ms> saved_fired_until_;    // one of each subtask
};

template <class T, class Out, class KeyOf, class Assigner, class Contents, class Function>
operator_factory_ptr make_slicing_window_operator(
    window_settings<T, KeyOf, Assigner, event_time_trigger, Contents, Function> how) {
  return make_factory<T, Out>([how] {
    return std::make_unique<slicing_window_operator<T, Out, KeyOf, Assigner, Contents, Function>>(
        how);
  });
}

}  // namespace millrace
