#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/source/dealt_splits.hpp"
#include "millrace/source/queued_splits.hpp"
#include "millrace/source/source.hpp"

namespace millrace::test {

/// A record that says where it is from.
struct mark {
  std::int64_t at = 0;
  std::string split;
  bool operator==(const mark&) const = default;
};

/// Records with the times first, first + step, …
struct mark_split {
  std::string name;
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
  std::int64_t done = 0;
  std::string id() const { return name; }
  bool operator==(const mark_split&) const = default;
};

/// What readers have seen, of all subtasks.
struct mark_log {
  std::vector<std::string> given;           ///< Splits, in the order of their coming.
  std::map<std::uint32_t, int> by_subtask;  ///< Splits that came to each.
  std::vector<std::set<std::string>> paused;
  std::vector<std::string> events;
};

/// Emits one record of each of its splits in turn, one split at a time if it asks for them.
class mark_reader final : public source_reader<mark, mark_split> {
 public:
  mark_reader(reader_context& context, std::shared_ptr<mark_log> log, bool requests, bool pauses)
      : context_(context), log_(std::move(log)), requests_(requests), pauses_(pauses) {}

  void start() override {
    if (requests_ && splits_.empty()) context_.request_split();
  }
  poll_status poll(source_output<mark>& out) override {
    if (is_slow) {
      const auto now = context_.task().time().now();
      if (now < next_) {
        context_.wake_at(next_);
        return poll_status::idle;
      }
      next_ = now + std::chrono::hours(1);
    }
    for (std::size_t i = 0; i < splits_.size(); ++i) {
      turn_ = (turn_ + 1) % splits_.size();
      auto& split = splits_[turn_];
      if (paused_.contains(split.name)) continue;
      out.begin_split(split.name);
      out.emit({split.first + split.done * split.step, split.name});
      if (++split.done == split.count) {
        out.end_split(split.name);
        splits_.erase(splits_.begin() + static_cast<std::ptrdiff_t>(turn_));
        if (requests_ && splits_.empty() && !no_more_) context_.request_split();
      }
      return poll_status::more;
    }
    return splits_.empty() && no_more_ ? poll_status::finished : poll_status::idle;
  }
  void add_splits(std::vector<mark_split> splits) override {
    for (auto& split : splits) {
      log_->given.push_back(split.name);
      ++log_->by_subtask[context_.task().runtime().subtask_index()];
      splits_.push_back(std::move(split));
    }
  }
  void no_more_splits() override { no_more_ = true; }
  std::vector<mark_split> snapshot(checkpoint_id) override { return splits_; }
  bool can_pause_splits() const noexcept override { return pauses_; }
  void pause_splits(const std::set<std::string>& ids) override {
    paused_ = ids;
    log_->paused.push_back(ids);
  }
  void on_event(byte_view event) override {
    log_->events.push_back(decode_bytes<std::string>(event).value());
    context_.send_event(encode_to_bytes(log_->events.back() + " back"));
  }

  bool is_slow = false;  ///< One record an hour.

 private:
  reader_context& context_;
  std::shared_ptr<mark_log> log_;
  bool requests_;
  bool pauses_;
  std::vector<mark_split> splits_;
  std::set<std::string> paused_;
  std::size_t turn_ = 0;
  bool no_more_ = false;
  std::chrono::steady_clock::time_point next_{};
};

/// A source of given splits.
class mark_source final : public source<mark, mark_split> {
 public:
  explicit mark_source(std::vector<mark_split> splits, bool requests = true, bool pauses = true)
      : splits_(std::move(splits)), requests_(requests), pauses_(pauses) {}

  boundedness ends() const noexcept override { return boundedness::bounded; }
  std::unique_ptr<source_reader<mark, mark_split>> create_reader(
      reader_context& context) const override {
    auto reader = std::make_unique<mark_reader>(context, log, requests_, pauses_);
    reader->is_slow = context.task().runtime().subtask_index() == slow_subtask;
    return reader;
  }
  std::unique_ptr<split_enumerator<mark_split, std::vector<mark_split>>> create_enumerator(
      enumerator_context& context) const override {
    return restore_enumerator(context, splits_);
  }
  std::unique_ptr<split_enumerator<mark_split, std::vector<mark_split>>> restore_enumerator(
      enumerator_context& context, std::vector<mark_split> state) const override {
    if (requests_) return std::make_unique<queued_splits<mark_split>>(context, std::move(state));
    return std::make_unique<dealt_splits<mark_split>>(context, std::move(state));
  }

  const std::shared_ptr<mark_log> log = std::make_shared<mark_log>();
  std::optional<std::uint32_t> slow_subtask;

 private:
  std::vector<mark_split> splits_;
  bool requests_;
  bool pauses_;
};

}  // namespace millrace::test
