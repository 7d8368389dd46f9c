#include "sim/protocol_monitor.hpp"

#include <set>

#include "millrace/graph/channels.hpp"
#include "millrace/graph/execution_state.hpp"

namespace millrace::sim {

const graph::job_graph* protocol_monitor::graph_of(const job_id& job) const {
  const auto found = graphs_.find(job);
  return found == graphs_.end() ? nullptr : &found->second;
}

void protocol_monitor::on_deploy(const wire::deploy_tasks& deployment) {
  graphs_.try_emplace(deployment.job, deployment.graph);
}

void protocol_monitor::on_open_channel(const wire::open_channel& request) {
  const auto* graph = graph_of(request.consumer.job);
  if (graph == nullptr) return;
  const auto inputs =
      graph::input_channels(*graph, request.consumer.vertex, request.consumer.subtask);
  for (std::uint32_t c = 0; c < inputs.size(); ++c)
    if (inputs[c].edge == request.edge && inputs[c].source_vertex == request.producer.vertex &&
        inputs[c].source_subtask == request.producer.subtask)
      channels_[{request.consumer, c}].granted = request.credit_bytes;
}

void protocol_monitor::on_element(const wire::channel_element& element) {
  auto& c = channels_[{element.consumer, element.input_channel}];
  const auto complain = [&](const std::string& what) {
    violations_.push_back(what + " on channel " + std::to_string(element.input_channel) + " of " +
                          to_string(element.consumer));
  };
  if (const auto* time = std::get_if<watermark>(&element.what)) {
    if (c.status == stream_status::idle) complain("a watermark came though it is idle");
    if (time->at <= c.time)
      complain("the watermark went from " + std::to_string(c.time) + " to " +
               std::to_string(time->at));
    c.time = time->at;
  } else if (const auto* now = std::get_if<stream_status>(&element.what)) {
    if (*now == c.status) complain("the same status came twice");
    c.status = *now;
  }
  const auto* data = std::get_if<record_batch>(&element.what);
  if (data == nullptr) return;
  c.under_way += data->charge;
  if (c.under_way > c.granted)
    violations_.push_back(std::to_string(c.under_way) + " bytes are under way to " +
                          to_string(element.consumer) + " on channel " +
                          std::to_string(element.input_channel) + ", which was granted " +
                          std::to_string(c.granted));
}

void protocol_monitor::on_credit(const wire::channel_credit& credit) {
  const auto* graph = graph_of(credit.producer.job);
  if (graph == nullptr) return;
  const auto outputs =
      graph::output_channels(*graph, credit.producer.vertex, credit.producer.subtask);
  if (credit.output_channel >= outputs.size()) {
    violations_.push_back("credit for a channel that " + to_string(credit.producer) + " has not");
    return;
  }
  const auto& to = outputs[credit.output_channel];
  auto& c = channels_[{
      {credit.producer.job, to.target_vertex, to.target_subtask, credit.producer.attempt},
      to.target_channel}];
  if (credit.charge > c.under_way)
    violations_.push_back(to_string(credit.producer) + " got back " +
                          std::to_string(credit.charge) + " bytes of credit, but only " +
                          std::to_string(c.under_way) + " had been received");
  c.under_way -= std::min(c.under_way, credit.charge);
}

void protocol_monitor::on_heartbeat(const wire::heartbeat& beat) {
  const auto [known, is_new] = slots_.try_emplace(beat.resource, beat.slots.size());
  if (known->second != beat.slots.size())
    violations_.push_back("task manager " + to_string(beat.resource) + " had " +
                          std::to_string(known->second) + " slots and now has " +
                          std::to_string(beat.slots.size()));
  std::set<allocation_id> held;
  for (const auto& slot : beat.slots) {
    if (static_cast<bool>(slot.allocation) != static_cast<bool>(slot.job))
      violations_.push_back("a slot is allocated to no job");
    if (slot.allocation && !held.insert(slot.allocation).second)
      violations_.push_back("allocation " + to_string(slot.allocation) + " holds two slots");
  }
}

void protocol_monitor::on_task_state(const wire::task_state_changed& change) {
  if (!graph::is_terminal(change.state)) return;
  const auto [known, is_new] = ended_.try_emplace(change.task, change.state);
  if (known->second != change.state)
    violations_.push_back("task " + to_string(change.task) +
                          " ended twice: " + std::string(graph::to_string(known->second)) +
                          " and " + std::string(graph::to_string(change.state)));
}

}  // namespace millrace::sim
