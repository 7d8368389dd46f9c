#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "millrace/core/hash.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/graph/partitioning.hpp"
#include "millrace/stream/exchange.hpp"
#include "millrace/stream/gathering_batch.hpp"

namespace millrace {

/// Spreads the rows of an operator's output over the channels of an exchange. Rows gather in one
/// open batch per channel; a full batch leaves at once, the rest when the task has nothing more to
/// do right now (adaptive flush: full batches under load, no delay when idle).
class batch_router : public batch_consumer {
 public:
  explicit batch_router(exchange& target) : target_(target) {}

  /// Sends all rows that wait for their batch to fill up.
  virtual void flush() = 0;

  /// Control elements go to every channel, behind all rows that came before them.
  void on_watermark(timestamp_ms at) final {
    flush();
    target_.broadcast(watermark{at});
  }
  void on_status(stream_status now) final {
    flush();
    target_.broadcast(now);
  }

 protected:
  exchange& target_;
};

/// What a router needs to know of its place.
struct router_context {
  std::uint32_t subtask_index = 0;         ///< Of the sender.
  std::uint32_t consumer_parallelism = 1;  ///< Of the receiving vertex.
  std::uint32_t consumer_max_parallelism = 128;
};

/// Makes the routers of one edge: const and shared by all subtasks of the sending operator.
class router_factory {
 public:
  virtual ~router_factory() = default;
  virtual std::unique_ptr<batch_router> create(exchange& target,
                                               const router_context& where) const = 0;
};

/// Routes row by row. `Select` is called as select(row) and returns the channel; what it throws
/// fails the task. One instantiation per user type and partitioning, so `Select` is inlined.
template <class T, class Select>
class row_router final : public batch_router {
 public:
  row_router(exchange& target, Select select) : batch_router(target), select_(std::move(select)) {
    channels_.reserve(target.channel_count());
    for (std::uint32_t c = 0; c < target.channel_count(); ++c)
      channels_.emplace_back(target.limits());
    if constexpr (is_plain) ends_.resize(channels_.size());
  }

  void consume(batch& rows, rows_access access) override {
    const auto& timestamps = timestamps_of<T>(rows);
    if (!timestamps.empty()) return consume_timed(rows_of<T>(rows), timestamps.data(), access);
    if constexpr (is_plain) {
      consume_plain(rows_of<T>(rows));
    } else if (access == rows_access::exclusive) {
      for (auto& row : rows_of<T>(rows)) append(select_(std::as_const(row)), std::move(row));
    } else {
      for (const auto& row : rows_of<T>(rows)) append(select_(row), row);
    }
  }

  void flush() override {
    for (std::uint32_t c = 0; c < channels_.size(); ++c) {
      if (!channels_[c].is_empty()) send(c);
    }
  }

 private:
  /// Plain data is stored without looking for room row by row.
  static constexpr bool is_plain = std::is_trivially_copyable_v<T> && !has_heap_v<T>;
  /// Rows whose channels are chosen before they are stored: the two don't wait for each other then.
  static constexpr std::size_t block_rows = 64;

  void consume_plain(const row_vector<T>& rows) {
    for (std::size_t begin = 0; begin < rows.size(); begin += block_rows) {
      const auto count = std::min(block_rows, rows.size() - begin);
      const T* block = rows.data() + begin;
      std::array<std::uint32_t, block_rows> chosen;
      for (std::size_t i = 0; i < count; ++i) chosen[i] = select_(block[i]);
      if (is_room_for(count)) {
        T** const ends = ends_.data();
        for (std::size_t i = 0; i < count; ++i)
          ::new (static_cast<void*>(ends[chosen[i]]++)) T(block[i]);
        for (std::size_t c = 0; c < channels_.size(); ++c) channels_[c].stored_until(ends_[c]);
      } else {
        for (std::size_t i = 0; i < count; ++i) append(chosen[i], block[i]);
      }
    }
  }

  /// Whether any channel could take all rows of a block; `ends_` says where then.
  bool is_room_for(std::size_t count) {
    // With more channels a look at each costs more than it saves.
    if (channels_.size() > block_rows / 4) return false;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      ends_[c] = channels_[c].room_for(count);
      if (ends_[c] == nullptr) return false;
    }
    return true;
  }

  [[gnu::noinline]] void consume_timed(row_vector<T>& rows, const timestamp_ms* timestamp,
                                       rows_access access) {
    if (access == rows_access::exclusive) {
      for (auto& row : rows) append(select_(std::as_const(row)), std::move(row), *timestamp++);
    } else {
      for (const auto& row : rows) append(select_(row), row, *timestamp++);
    }
  }

  template <class... RowAndTime>
  void append(std::uint32_t channel, RowAndTime&&... row) {
    if (channels_[channel].append(std::forward<RowAndTime>(row)...)) [[unlikely]]
      send(channel);
  }

  [[gnu::noinline]] void send(std::uint32_t channel) {
    target_.send(channel, channels_[channel].take());
  }

  Select select_;
  std::vector<gathering_batch<T>> channels_;
  std::vector<T*> ends_;  // of a block's channels, while it is stored
};

/// Every row to the first channel (forward, global, and every exchange with a single consumer), or
/// to all of them (broadcast: receivers on this node share the batch).
template <class T>
class gathering_router final : public batch_router {
 public:
  gathering_router(exchange& target, bool to_all)
      : batch_router(target),
        gathering_(target.limits()),
        receivers_(to_all ? target.channel_count() : 1) {}

  void consume(batch& rows, rows_access access) override {
    auto& theirs = static_cast<typed_batch<T>&>(rows);
    if (access == rows_access::exclusive) {
      if (auto full = gathering_.adopt(theirs)) return send(full);
    }
    if (!theirs.timestamps.empty())
      return consume_timed(theirs.rows, theirs.timestamps.data(), access);
    if (access == rows_access::exclusive) {
      for (auto& row : theirs.rows) append(std::move(row));
    } else {
      for (const auto& row : theirs.rows) append(row);
    }
  }

  void flush() override {
    if (!gathering_.is_empty()) send(gathering_.take());
  }

 private:
  [[gnu::noinline]] void consume_timed(row_vector<T>& rows, const timestamp_ms* timestamp,
                                       rows_access access) {
    if (access == rows_access::exclusive) {
      for (auto& row : rows) append(std::move(row), *timestamp++);
    } else {
      for (const auto& row : rows) append(row, *timestamp++);
    }
  }

  template <class... RowAndTime>
  void append(RowAndTime&&... row) {
    if (gathering_.append(std::forward<RowAndTime>(row)...)) [[unlikely]]
      flush();
  }

  void send(const batch_ptr& full) {
    for (std::uint32_t c = 0; c < receivers_; ++c) target_.send(c, full);
  }

  gathering_batch<T> gathering_;
  std::uint32_t receivers_;
};

template <class T, class Select>
std::unique_ptr<batch_router> make_row_router(exchange& target, Select select) {
  return std::make_unique<row_router<T, Select>>(target, std::move(select));
}

/// Throws the `failure` of a custom partitioner that chose a channel there is not.
[[noreturn]] void throw_no_such_channel(std::int64_t channel, std::uint32_t channels);

/// The channel that owns a record's key group. `Key` maps a record to its key.
template <class T, class Key>
class key_group_selector {
 public:
  key_group_selector(Key key, const router_context& where)
      : key_(std::move(key)),
        groups_(where.consumer_max_parallelism),
        channel_of_group_(where.consumer_max_parallelism) {
    for (std::uint32_t group = 0; group < channel_of_group_.size(); ++group)
      channel_of_group_[group] =
          subtask_of_key_group(group, where.consumer_max_parallelism, where.consumer_parallelism);
  }

  std::uint32_t operator()(const T& row) {
    return channel_of_group_[key_group_of(key_hash(std::invoke(key_, row)), groups_)];
  }

 private:
  Key key_;
  std::uint32_t groups_;
  std::vector<std::uint32_t> channel_of_group_;
};

/// Round robin, from a start that differs between senders so that few records still spread.
class round_robin_selector {
 public:
  round_robin_selector(std::uint32_t first, std::uint32_t channels) noexcept
      : next_(first % channels), channels_(channels) {}

  template <class T>
  std::uint32_t operator()(const T&) noexcept {
    const auto channel = next_;
    if (++next_ == channels_) next_ = 0;
    return channel;
  }

 private:
  std::uint32_t next_;
  std::uint32_t channels_;
};

/// Uniformly random from a seed (xorshift64*), so that a run can be repeated.
class shuffle_selector {
 public:
  shuffle_selector(std::uint64_t seed, std::uint32_t channels) noexcept
      : state_(seed * 0x9E3779B97F4A7C15ull + 1), channels_(channels) {}

  template <class T>
  std::uint32_t operator()(const T&) noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const std::uint64_t random = (state_ * 0x2545F4914F6CDD1Dull) >> 32;
    return static_cast<std::uint32_t>((random * channels_) >> 32);
  }

 private:
  std::uint64_t state_;
  std::uint32_t channels_;
};

/// The router of any partitioning that needs no user function. `hash` and `custom` have factories
/// of their own (`keyed_router_factory`, `custom_router_factory`).
template <class T>
class plain_router_factory final : public router_factory {
 public:
  explicit plain_router_factory(graph::partitioning how) : how_(how) {}

  std::unique_ptr<batch_router> create(exchange& target,
                                       const router_context& where) const override {
    const auto channels = target.channel_count();
    if (how_ == graph::partitioning::broadcast)
      return std::make_unique<gathering_router<T>>(target, true);
    if (channels == 1 || how_ == graph::partitioning::forward ||
        how_ == graph::partitioning::global)
      return std::make_unique<gathering_router<T>>(target, false);
    if (how_ == graph::partitioning::shuffle)
      return make_row_router<T>(target, shuffle_selector(where.subtask_index, channels));
    return make_row_router<T>(target, round_robin_selector(where.subtask_index, channels));
  }

 private:
  graph::partitioning how_;
};

/// The router of a keyed exchange: `Key` maps `const T&` to the key.
template <class T, class Key>
class keyed_router_factory final : public router_factory {
 public:
  explicit keyed_router_factory(Key key) : key_(std::move(key)) {}

  std::unique_ptr<batch_router> create(exchange& target,
                                       const router_context& where) const override {
    if (target.channel_count() == 1) return std::make_unique<gathering_router<T>>(target, false);
    return make_row_router<T>(target, key_group_selector<T, Key>(key_, where));
  }

 private:
  Key key_;
};

/// The router of a custom exchange: `Choose` maps (`const T&`, number of channels) to a channel.
template <class T, class Choose>
class custom_router_factory final : public router_factory {
 public:
  explicit custom_router_factory(Choose choose) : choose_(std::move(choose)) {}

  std::unique_ptr<batch_router> create(exchange& target, const router_context&) const override {
    return make_row_router<T>(
        target, [choose = choose_, channels = target.channel_count()](const T& row) mutable {
          const auto channel = static_cast<std::int64_t>(choose(row, channels));
          if (channel < 0 || channel >= channels) throw_no_such_channel(channel, channels);
          return static_cast<std::uint32_t>(channel);
        });
  }

 private:
  Choose choose_;
};

}  // namespace millrace
