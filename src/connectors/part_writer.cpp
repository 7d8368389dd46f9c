#include "millrace/connectors/part_writer.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace {

namespace {

using action = part_command::action;

/// Parts must stay below the directory of the sink, where readers and clean-up find them.
void check_bucket(std::string_view bucket) {
  for (auto rest = bucket; !bucket.empty();) {
    const auto end = rest.find('/');
    const auto component = rest.substr(0, end);
    if (component.empty() || component.front() == '.' || component.find('\0') != rest.npos)
      throw failure(errc::invalid_argument,
                    "a bucket assigner returned '" + std::string(bucket) +
                        "': a bucket is a relative path whose components are not empty and don't "
                        "begin with '.'");
    if (end == rest.npos) return;
    rest.remove_prefix(end + 1);
  }
}

/// `since` and an interval that may be endless.
timestamp_ms after(timestamp_ms since, std::chrono::milliseconds interval) {
  constexpr auto end = std::numeric_limits<timestamp_ms>::max();
  return interval.count() > end - since ? end : since + interval.count();
}

}  // namespace

part_writer::part_writer(sink_writer_context& context, const part_places_maker& make_places,
                         const rolling_policy& policy, bool keeps_one)
    : context_(context), policy_(policy), now_ms_(context.time().wall_ms()) {
  auto places = make_places(context, recover());
  replaces_ = places->replaces();
  resume_parts(*places);
  files_ = std::make_shared<part_files>(context.files(), std::move(places));
  // After a restart the one part is among those that were resumed, or was finished before.
  if (keeps_one && !context.is_restored()) add({}, now_ms_);
  // After a restart, clean-up comes first: a task that only commits what is left does not outlive
  // it.
  is_flushing_ = context.is_restored();
  start_io();  // so that a refused path is noticed before any record
}

part_recovery part_writer::recover() {
  auto& state = context_.operator_state();
  using std::string;
  open_state_ = state.get_list_state(list_state_descriptor<open_part_state>("open-parts"));
  rolled_state_ = state.get_list_state(list_state_descriptor<file_committable>("rolled-parts"));
  superseded_state_ = state.get_list_state(list_state_descriptor<string>("superseded-files"));
  next_state_ = state.get_union_list_state(list_state_descriptor<next_part_state>("next-parts"));
  part_recovery recovery;
  recovery.is_restored = context_.is_restored();
  for (const auto& next : next_state_.get()) {
    recovery.next_numbers[next.subtask] = next.number;
    recovery.parallelism = next.parallelism;
  }
  // Older states do not say: then all subtasks are taken to be in the checkpoint.
  if (recovery.parallelism == 0)
    recovery.parallelism = static_cast<std::uint32_t>(recovery.next_numbers.size());
  return recovery;
}

void part_writer::resume_parts(const part_places& places) {
  for (const auto& file : superseded_state_.get())
    if (places.is_ours(file)) commands_.push_back({action::remove, nullptr, file, 0});
  for (const auto& rolled : rolled_state_.get()) rolled_.push_back({rolled, nullptr, true});
  for (const auto& old : open_state_.get()) {
    // With fewer subtasks than before there may be two of one bucket.
    if (const auto twin = open_.find(old.bucket); twin != open_.end()) roll(twin);
    auto& resumed = *(open_[old.bucket] = std::make_unique<part>());
    resumed.file = std::make_shared<part_file>();
    resumed.file->bucket = old.bucket;
    resumed.written = old.bytes;
    resumed.opened_ms = old.opened_ms;
    resumed.written_ms = old.written_ms;
    set_room(resumed);
    commands_.push_back({action::resume, resumed.file, old.working, old.bytes});
    if (places.is_ours(old.working)) superseded_.push_back(old.working);
    ask_for_time(resumed);
  }
}

part_writer::part& part_writer::part_of(std::string_view bucket) {
  const auto found = open_.find(bucket);
  if (found == open_.end()) {
    check_bucket(bucket);
    return add(std::string(bucket), now_ms_);
  }
  found->second->written_ms = now_ms_;
  return *found->second;
}

part_writer::part& part_writer::add(std::string bucket, timestamp_ms opened_ms) {
  auto& added = *(open_[bucket] = std::make_unique<part>());
  added.file = std::make_shared<part_file>();
  added.file->bucket = std::move(bucket);
  added.opened_ms = added.written_ms = opened_ms;
  set_room(added);
  commands_.push_back({action::open, added.file, {}, 0});
  ask_for_time(added);
  return added;
}

void part_writer::set_room(part& of) const {
  const auto room = policy_.part_bytes > of.written ? policy_.part_bytes - of.written : 0;
  of.text_max = static_cast<std::size_t>(
      std::min<std::uint64_t>(room, std::numeric_limits<std::size_t>::max()));
}

void part_writer::roll(std::string_view bucket) {
  if (const auto found = open_.find(bucket); found != open_.end()) roll(found);
}

part_writer::part_map::iterator part_writer::roll(part_map::iterator which) {
  append_gathered(*which->second);
  commands_.push_back({action::close, which->second->file, {}, 0});
  closing_.push_back(std::move(which->second));
  return open_.erase(which);
}

void part_writer::append_gathered(part& to) {
  if (to.text.empty()) return;
  to.written += to.text.size();
  commands_.push_back({action::append, to.file, std::move(to.text), 0});
  to.text.clear();
  if (!spare_texts_.empty()) {
    to.text = std::move(spare_texts_.back());
    spare_texts_.pop_back();
  }
  set_room(to);
}

timestamp_ms part_writer::due_ms(const part& which) const {
  return std::min(after(which.opened_ms, policy_.rollover_interval),
                  after(which.written_ms, policy_.inactivity_interval));
}

void part_writer::ask_for_time(const part& which) {
  const auto due = due_ms(which);
  if (due != std::numeric_limits<timestamp_ms>::max()) context_.wake_at_processing_time(due);
}

void part_writer::on_processing_time(timestamp_ms now) {
  for (auto each = open_.begin(); each != open_.end();) {
    if (due_ms(*each->second) <= now) {
      each = roll(each);
    } else {
      ask_for_time(*each->second);
      ++each;
    }
  }
  pump();
}

void part_writer::pump() {
  if (has_failed_) return;
  if (is_writing_) {
    gathered_bytes_ = 0;
    for (const auto& command : commands_) gathered_bytes_ += command.text.size();
    for (const auto& [bucket, each] : open_) gathered_bytes_ += each->text.size();
    return;
  }
  gathered_bytes_ = 0;
  for (const auto& [bucket, each] : open_) append_gathered(*each);
  if (commands_.empty())
    is_flushing_ = false;
  else
    start_io();
}

void part_writer::flush(flush_cause why) {
  is_flushing_ = true;
  const bool rolls = why == flush_cause::end_of_input || policy_.on_checkpoint;
  for (auto each = open_.begin(); each != open_.end();) {
    if (rolls) {
      each = roll(each);
      continue;
    }
    auto& open = *each->second;
    append_gathered(open);
    if (open.synced != open.written) commands_.push_back({action::sync, open.file, {}, 0});
    open.synced = open.written;
    ++each;
  }
  pump();
}

bool part_writer::is_busy() const noexcept {
  return !has_failed_ && (is_flushing_ || gathered_bytes_ >= gathered_bytes_max);
}

void part_writer::start_io() {
  struct piece {
    std::vector<part_command> commands;
    result<std::uint64_t> outcome;
  };
  is_writing_ = true;
  auto work = std::make_shared<piece>(piece{std::exchange(commands_, {}), 0});
  context_.io().submit([work, files = files_] { work->outcome = files->run(work->commands); },
                       [this, work] { on_io_done(work->outcome, work->commands); });
}

void part_writer::on_io_done(const result<std::uint64_t>& next_number,
                             std::vector<part_command>& done) {
  is_writing_ = false;
  if (!next_number) {
    has_failed_ = true;
    throw failure(next_number.error());
  }
  next_number_ = *next_number;
  for (auto& command : done) {
    if (command.what == action::close) on_closed(command.part);
    if (command.what != action::append || spare_texts_.size() >= open_.size()) continue;
    command.text.clear();
    spare_texts_.push_back(std::move(command.text));
  }
  pump();
}

void part_writer::on_closed(const std::shared_ptr<part_file>& file) {
  const auto closed = std::find_if(closing_.begin(), closing_.end(),
                                   [&](const auto& each) { return each->file == file; });
  rolled_.push_back({{file->name.working, file->name.target, (*closed)->written, replaces_},
                     file,
                     (*closed)->is_saved});
  closing_.erase(closed);
}

std::vector<file_committable> part_writer::prepare_commit() {
  std::vector<file_committable> ready;
  ready.reserve(rolled_.size());
  for (auto& rolled : rolled_) ready.push_back(std::move(rolled.what));
  rolled_.clear();
  return ready;
}

void part_writer::snapshot_state(checkpoint_id id) {
  if (!first_checkpoint_) first_checkpoint_ = id;
  std::vector<open_part_state> open;
  const auto save = [&](part& each) {
    if (!each.synced) return;  // begun since the barrier
    each.is_saved = true;
    open.push_back({each.file->bucket, each.file->name.working, *each.synced, each.opened_ms,
                    each.written_ms});
  };
  for (auto& [bucket, each] : open_) save(*each);
  for (auto& each : closing_) save(*each);
  open_state_.update(std::move(open));

  std::vector<file_committable> rolled;
  for (auto& each : rolled_) {
    each.is_saved = true;
    rolled.push_back(each.what);
  }
  rolled_state_.update(std::move(rolled));
  superseded_state_.update(superseded_);
  const auto& self = context_.runtime();
  next_state_.update({{self.subtask_index(), next_number_, self.parallelism()}});
}

void part_writer::on_checkpoint_complete(checkpoint_id id) {
  if (superseded_.empty() || !first_checkpoint_ || id < first_checkpoint_) return;
  for (auto& file : superseded_) commands_.push_back({action::remove, nullptr, std::move(file), 0});
  superseded_.clear();
  pump();
}

void part_writer::close() noexcept {
  std::vector<std::shared_ptr<part_file>> kept;  // only for the I/O thread to close them
  std::vector<std::shared_ptr<part_file>> removed;
  const auto leave = [&](const std::shared_ptr<part_file>& file, bool is_saved) {
    if (file) (is_saved ? kept : removed).push_back(file);
  };
  for (const auto& [bucket, each] : open_) leave(each->file, each->is_saved);
  for (const auto& each : closing_) leave(each->file, each->is_saved);
  for (const auto& each : rolled_) leave(each.file, each.is_saved);
  if (kept.empty() && removed.empty()) return;
  context_.io().submit([files = files_, kept = std::move(kept),
                        removed = std::move(removed)] { files->abandon(removed); },
                       [] {});
}

}  // namespace millrace
