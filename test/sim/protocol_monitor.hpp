#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "sim/sim_host.hpp"

namespace millrace::sim {

/// Looks over the engine's shoulder: checks what must hold of the messages that are handled,
/// whatever happens.
///
/// - Credit of a channel is never returned for what was not received, and what is under way never
///   exceeds the credit that was granted.
/// - Watermarks of a channel never go back, and none comes while the channel is idle.
/// - A task ends once, in one way.
/// - A task manager never loses or doubles a slot, and no allocation holds two.
class protocol_monitor final : public message_observer {
 public:
  void on_deploy(const wire::deploy_tasks& deployment) override;
  void on_open_channel(const wire::open_channel& request) override;
  void on_element(const wire::channel_element& element) override;
  void on_credit(const wire::channel_credit& credit) override;
  void on_heartbeat(const wire::heartbeat& beat) override;
  void on_task_state(const wire::task_state_changed& change) override;

  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct channel {
    std::uint64_t granted = 0;
    std::uint64_t under_way = 0;
    timestamp_ms time = no_timestamp;
    stream_status status = stream_status::active;
  };
  using channel_key = std::tuple<execution_attempt_id, std::uint32_t>;  // consumer, input channel

  const graph::job_graph* graph_of(const job_id& job) const;

  std::map<job_id, graph::job_graph> graphs_;
  std::map<channel_key, channel> channels_;
  std::map<execution_attempt_id, graph::execution_state> ended_;
  std::map<resource_id, std::size_t> slots_;
  std::vector<std::string> violations_;
};

}  // namespace millrace::sim
