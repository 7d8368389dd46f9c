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
#include "millrace/stream/shared_description.hpp"

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
  void on_watermark(timestamp_ms at) final;
  void on_status(stream_status now) final;

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
class router_factory : public shared_description {
 public:
  virtual std::unique_ptr<batch_router> create(exchange& target,
                                               const router_context& where) const = 0;
};

using router_factory_ptr = boost::intrusive_ptr<const router_factory>;

/// Chooses the channels of rows, a block at a time. Only those that look into rows know their type,
/// so that there is one router for each type of record and not one for each way of choosing.
class channel_selector {
 public:
  virtual ~channel_selector() = default;
  /// Those of `count` rows that lie side by side from `rows` on. What it throws fails the task.
  virtual void select(const void* rows, std::size_t count, std::uint32_t* channels) = 0;
};

/// How an edge spreads its rows.
struct row_routing {
  /// Null: all rows gather for one channel (forward, global, and every exchange with a single
  /// consumer), or for all of them.
  std::unique_ptr<channel_selector> selector;
  bool to_all = false;  ///< Broadcast: receivers on this node share the batch.
};

/// Routes rows of type T.
template <class T>
class row_router final : public batch_router {
 public:
  row_router(exchange& target, row_routing how)
      : batch_router(target),
        selector_(std::move(how.selector)),
        receivers_(how.to_all ? target.channel_count() : 1) {
    const auto gathered = selector_ ? target.channel_count() : 1;
    channels_.reserve(gathered);
    for (std::uint32_t c = 0; c < gathered; ++c) channels_.emplace_back(target.limits());
    if constexpr (is_plain) ends_.resize(gathered);
  }

  void consume(batch& rows, rows_access access) override {
    auto& from = typed<T>(rows);
    if (!selector_ && access == rows_access::exclusive) {
      if (auto full = channels_.front().adopt(from)) return send(0, full);
    }
    std::array<std::uint32_t, block_rows> chosen{};
    const auto count = from.rows.size();
    for (std::size_t begin = 0; begin < count; begin += block_rows) {
      const auto rows_now = std::min(block_rows, count - begin);
      T* const block = from.rows.data() + begin;
      if (selector_) selector_->select(block, rows_now, chosen.data());
      const auto* times = from.timestamps.empty() ? nullptr : from.timestamps.data() + begin;
      store(block, times, rows_now, chosen.data(), access);
    }
  }

  void flush() override {
    for (std::uint32_t c = 0; c < channels_.size(); ++c) {
      if (!channels_[c].is_empty()) send(c, channels_[c].take());
    }
  }

 private:
  /// Plain data is stored without looking for room row by row.
  static constexpr bool is_plain = std::is_trivially_copyable_v<T> && !has_heap_v<T>;
  /// Rows whose channels are chosen before they are stored: the two don't wait for each other then.
  static constexpr std::size_t block_rows = 64;

  void store(T* rows, const timestamp_ms* times, std::size_t count, const std::uint32_t* chosen,
             rows_access access) {
    if constexpr (is_plain) {
      if (is_room_for(count, times != nullptr)) return store_plain(rows, times, count, chosen);
    } else if (access == rows_access::exclusive) {
      for (std::size_t i = 0; i < count; ++i)
        append(chosen[i], std::move(rows[i]), times ? times + i : nullptr);
      return;
    }
    for (std::size_t i = 0; i < count; ++i)
      append(chosen[i], std::as_const(rows[i]), times ? times + i : nullptr);
  }

  void store_plain(const T* rows, const timestamp_ms* times, std::size_t count,
                   const std::uint32_t* chosen) requires is_plain {
    if (times) {
      for (auto& channel : channels_) channel.begin_times();
      for (std::size_t i = 0; i < count; ++i) channels_[chosen[i]].add_time(times[i]);
    }
    T** const ends = ends_.data();
    for (std::size_t i = 0; i < count; ++i)
      ::new (static_cast<void*>(ends[chosen[i]]++)) T(rows[i]);
    for (std::size_t c = 0; c < channels_.size(); ++c) channels_[c].stored_until(ends_[c]);
  }

  /// Whether any channel could take all rows of a block; `ends_` says where then.
  bool is_room_for(std::size_t count, bool timed) requires is_plain {
    // With more channels a look at each costs more than it saves.
    if (channels_.size() > block_rows / 4) return false;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      ends_[c] = channels_[c].room_for(count, timed);
      if (ends_[c] == nullptr) return false;
    }
    return true;
  }

  template <class Row>
  void append(std::uint32_t channel, Row&& row, const timestamp_ms* time) {
    auto& to = channels_[channel];
    const bool is_full =
        time ? to.append(std::forward<Row>(row), *time) : to.append(std::forward<Row>(row));
    if (is_full) [[unlikely]]
      send(channel, to.take());
  }

  [[gnu::noinline]] void send(std::uint32_t channel, const batch_ptr& full) {
    for (std::uint32_t c = channel; c < channel + receivers_; ++c) target_.send(c, full);
  }

  std::unique_ptr<channel_selector> selector_;
  std::uint32_t receivers_;  // of what gathers without a selector
  std::vector<gathering_batch<T>> channels_;
  std::vector<T*> ends_;  // of a block's channels, while it is stored
};

/// Throws the `failure` of a custom partitioner that chose a channel there is not.
[[noreturn]] void throw_no_such_channel(std::int64_t channel, std::uint32_t channels);

/// The channel of each key group.
std::vector<std::uint32_t> channels_of_key_groups(const router_context& where);

/// The channel that owns a record's key group. `Key` maps a record to its key.
template <class T, class Key>
class key_group_selector final : public channel_selector {
 public:
  key_group_selector(Key key, const router_context& where)
      : key_(std::move(key)),
        groups_(where.consumer_max_parallelism),
        channel_of_group_(channels_of_key_groups(where)) {}

  void select(const void* rows, std::size_t count, std::uint32_t* channels) override {
    const auto* row = static_cast<const T*>(rows);
    const auto* channel_of_group = channel_of_group_.data();
    for (std::size_t i = 0; i < count; ++i)
      channels[i] = channel_of_group[key_group_of(key_hash(std::invoke(key_, row[i])), groups_)];
  }

 private:
  Key key_;
  std::uint32_t groups_;
  std::vector<std::uint32_t> channel_of_group_;
};

/// Asks a user's function for each record: `Choose` maps (`const T&`, number of channels) to one.
template <class T, class Choose>
class custom_selector final : public channel_selector {
 public:
  custom_selector(Choose choose, std::uint32_t channels)
      : choose_(std::move(choose)), channels_(channels) {}

  void select(const void* rows, std::size_t count, std::uint32_t* channels) override {
    const auto* row = static_cast<const T*>(rows);
    for (std::size_t i = 0; i < count; ++i) {
      const auto channel = static_cast<std::int64_t>(choose_(row[i], channels_));
      if (channel < 0 || channel >= channels_) throw_no_such_channel(channel, channels_);
      channels[i] = static_cast<std::uint32_t>(channel);
    }
  }

 private:
  Choose choose_;
  std::uint32_t channels_;
};

/// How any partitioning spreads rows that needs no user function.
row_routing plain_routing(graph::partitioning how, std::uint32_t channels,
                          const router_context& where);

/// The router of any partitioning that needs no user function. `hash` and `custom` have factories
/// of their own (`keyed_router_factory`, `custom_router_factory`).
template <class T>
class plain_router_factory final : public router_factory {
 public:
  explicit plain_router_factory(graph::partitioning how) : how_(how) {}

  std::unique_ptr<batch_router> create(exchange& target,
                                       const router_context& where) const override {
    return std::make_unique<row_router<T>>(target,
                                           plain_routing(how_, target.channel_count(), where));
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
    row_routing how;
    if (target.channel_count() > 1)
      how.selector = std::make_unique<key_group_selector<T, Key>>(key_, where);
    return std::make_unique<row_router<T>>(target, std::move(how));
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
    return std::make_unique<row_router<T>>(
        target,
        row_routing{std::make_unique<custom_selector<T, Choose>>(choose_, target.channel_count())});
  }

 private:
  Choose choose_;
};

}  // namespace millrace
