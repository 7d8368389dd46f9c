#include "millrace/stream/router.hpp"

#include <string>

namespace millrace {

namespace {

/// Round robin, from a start that differs between senders so that few records still spread.
class round_robin_selector final : public channel_selector {
 public:
  round_robin_selector(std::uint32_t first, std::uint32_t channels) noexcept
      : next_(first % channels), channels_(channels) {}

  void select(const void*, std::size_t count, std::uint32_t* channels) override {
    for (std::size_t i = 0; i < count; ++i) {
      channels[i] = next_;
      if (++next_ == channels_) next_ = 0;
    }
  }

 private:
  std::uint32_t next_;
  std::uint32_t channels_;
};

/// Uniformly random from a seed (xorshift64*), so that a run can be repeated.
class shuffle_selector final : public channel_selector {
 public:
  shuffle_selector(std::uint64_t seed, std::uint32_t channels) noexcept
      : state_(seed * 0x9E3779B97F4A7C15ull + 1), channels_(channels) {}

  void select(const void*, std::size_t count, std::uint32_t* channels) override {
    for (std::size_t i = 0; i < count; ++i) {
      state_ ^= state_ >> 12;
      state_ ^= state_ << 25;
      state_ ^= state_ >> 27;
      const std::uint64_t random = (state_ * 0x2545F4914F6CDD1Dull) >> 32;
      channels[i] = static_cast<std::uint32_t>((random * channels_) >> 32);
    }
  }

 private:
  std::uint64_t state_;
  std::uint32_t channels_;
};

}  // namespace

void batch_router::on_watermark(timestamp_ms at) {
  flush();
  target_.broadcast(watermark{at});
}

void batch_router::on_status(stream_status now) {
  flush();
  target_.broadcast(now);
}

std::vector<std::uint32_t> channels_of_key_groups(const router_context& where) {
  std::vector<std::uint32_t> channels(where.consumer_max_parallelism);
  for (std::uint32_t group = 0; group < channels.size(); ++group)
    channels[group] =
        subtask_of_key_group(group, where.consumer_max_parallelism, where.consumer_parallelism);
  return channels;
}

row_routing plain_routing(graph::partitioning how, std::uint32_t channels,
                          const router_context& where) {
  using graph::partitioning;
  if (how == partitioning::broadcast) return {nullptr, true};
  if (channels == 1 || how == partitioning::forward || how == partitioning::global) return {};
  if (how == partitioning::shuffle)
    return {std::make_unique<shuffle_selector>(where.subtask_index, channels)};
  return {std::make_unique<round_robin_selector>(where.subtask_index, channels)};
}

void throw_no_such_channel(std::int64_t channel, std::uint32_t channels) {
  throw failure(errc::user_function, "the custom partitioner chose channel " +
                                         std::to_string(channel) + ", but there are only " +
                                         std::to_string(channels) + " (0 to " +
                                         std::to_string(channels - 1) + ")");
}

}  // namespace millrace
