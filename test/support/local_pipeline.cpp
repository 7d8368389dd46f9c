#include "support/local_pipeline.hpp"

#include <optional>
#include <stdexcept>

#include "millrace/graph/channels.hpp"
#include "millrace/stream/operator_coordinators.hpp"

namespace millrace::test {

/// One task with its services: what it sends goes to the queues of the others.
struct local_pipeline::node final : task_services {
  node(local_pipeline& owner, std::uint32_t vertex, std::uint32_t subtask)
      : pipeline(owner),
        inputs(graph::input_channels(owner.graph_, vertex, subtask)),
        outputs(graph::output_channels(owner.graph_, vertex, subtask)),
        id{job_id{1, 1}, vertex, subtask, 0} {
    for (std::size_t c = 0; c < outputs.size(); ++c)
      is_encoded.push_back(static_cast<int>(owner.random_() % 100) <
                           owner.settings_.encoded_percent);
  }

  void send(std::uint32_t channel, element e) override {
    const auto& to = outputs.at(channel);
    if (auto* data = std::get_if<record_batch>(&e); data && is_encoded[channel]) {
      byte_writer bytes;
      data->rows->encode_rows(bytes);
      data->rows = batch_ptr(new encoded_batch(data->rows->fingerprint(), data->rows->size(),
                                               std::move(bytes).take()));
    }
    auto& target = *pipeline.node_of_.at({to.target_vertex, to.target_subtask});
    target.queue_of({message::kind::element, to.target_channel})
        .push_back({message::kind::element, to.target_channel, 0, std::move(e), {}});
  }

  void return_credit(std::uint32_t channel, std::uint64_t charge) override {
    const auto& from = inputs.at(channel);
    auto& producer = *pipeline.node_of_.at({from.source_vertex, from.source_subtask});
    const auto out = producer.output_channel_to(from.edge, id.subtask);
    producer.queue_of({message::kind::credit, out})
        .push_back({message::kind::credit, out, charge, {}, {}});
  }

  void send_to_coordinator(std::uint32_t operator_index, std::vector<std::byte> event) override {
    to_master.emplace_back(operator_index, std::move(event));
  }
  void report_alignment(std::uint32_t operator_index, const alignment_report& report) override {
    if (const auto limit = pipeline.alignment_.on_report(id, operator_index, report))
      pipeline.announce(report.group, *limit);
  }

  void report_iteration(const iteration_report& report) override {
    for (std::size_t i = 0; i < pipeline.iterations_.size(); ++i)
      pipeline.carry_out(i, pipeline.iterations_[i].on_report(id, report));
  }
  void acknowledge_checkpoint(task_snapshot snapshot) override {
    pipeline.on_snapshot(id, std::move(snapshot));
  }
  void await_last_checkpoint() override { pipeline.last_checkpoint_wanted_ = true; }

  io_executor& io() noexcept override { return io_executor_; }
  file_system& files() noexcept override { return pipeline.files_; }
  const clock& time() const noexcept override { return pipeline.clock_; }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    if (!wake || when < *wake) wake = when;
  }

  std::uint32_t output_channel_to(std::uint32_t edge, std::uint32_t subtask) const {
    for (std::uint32_t c = 0; c < outputs.size(); ++c)
      if (outputs[c].edge == edge && outputs[c].target_subtask == subtask) return c;
    throw std::logic_error("no such channel");
  }

  using queue_key = std::pair<message::kind, std::uint32_t>;
  std::deque<message>& queue_of(queue_key key) {
    // Opening and credit of a channel come from one sender, in order.
    if (key.first == message::kind::open) key.first = message::kind::credit;
    return queues[key];
  }
  std::vector<queue_key> filled_queues() const {
    std::vector<queue_key> filled;
    for (const auto& [key, queue] : queues)
      if (!queue.empty()) filled.push_back(key);
    return filled;
  }

  local_pipeline& pipeline;
  std::vector<graph::input_channel> inputs;
  std::vector<graph::output_channel> outputs;
  std::vector<bool> is_encoded;
  execution_attempt_id id;
  std::map<queue_key, std::deque<message>> queues;
  /// Events for coordinators; one that is empty says that the task is ready.
  std::deque<std::pair<std::uint32_t, std::optional<std::vector<std::byte>>>> to_master;
  manual_io io_executor_;
  std::optional<std::chrono::steady_clock::time_point> wake;
  std::unique_ptr<stream_task> task;
  bool is_runnable = true;
  bool is_finished = false;
};

/// Hosts the operator coordinators, as the job master does.
struct local_pipeline::job_master final : coordinator_services {
  explicit job_master(local_pipeline& owner)
      : pipeline(owner),
        coordinators(owner.graph_, owner.program_, static_cast<coordinator_services&>(*this),
                     owner.settings_.tasks.is_checkpointed) {}

  void send_to_operator(const execution_attempt_id& task, std::uint32_t operator_index,
                        std::vector<std::byte> event) override {
    pipeline.node_of_.at({task.vertex, task.subtask})
        ->queue_of({message::kind::event, 0})
        .push_back({message::kind::event, operator_index, 0, {}, {}, std::move(event)});
  }
  void fail_job(error why) override {
    if (!failed) failed = std::move(why);
    coordinators.close();
  }
  io_executor& io() noexcept override { return executor; }
  file_system& files() noexcept override { return pipeline.files_; }
  const clock& time() const noexcept override { return pipeline.clock_; }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    if (!wake || when < *wake) wake = when;
  }

  void deliver(node& from) {
    auto [operator_index, event] = std::move(from.to_master.front());
    from.to_master.pop_front();
    if (event)
      coordinators.on_event(from.id, operator_index, *event);
    else
      coordinators.on_task_ready(from.id);
  }

  local_pipeline& pipeline;
  manual_io executor;
  operator_coordinators coordinators;
  std::optional<std::chrono::steady_clock::time_point> wake;
  std::optional<error> failed;
};

local_pipeline::local_pipeline(graph::job_graph graph, std::shared_ptr<const job_program> program,
                               file_system& files, pipeline_settings settings,
                               const checkpoint* from)
    : graph_(std::move(graph)),
      program_(std::move(program)),
      files_(files),
      settings_(settings),
      random_(settings.seed) {
  for (const auto& vertex : graph_.vertices) {
    for (std::uint32_t s = 0; s < vertex.parallelism; ++s) {
      nodes_.push_back(std::make_unique<node>(*this, vertex.id, s));
      node_of_[{vertex.id, s}] = nodes_.back().get();
    }
  }
  master_ = std::make_unique<job_master>(*this);
  master_->coordinators.start();
  for (auto& n : nodes_) {
    n->task = std::make_unique<stream_task>(graph_, n->id, program_, *n, settings_.tasks);
    auto ending = subtask_ending::none;
    if (from != nullptr)
      if (const auto saved = from->find({n->id.vertex, n->id.subtask}); saved != from->end()) {
        n->task->restore(saved->second);
        last_checkpoint_ = saved->second.checkpoint.number;
        ending = saved->second.ending;
      }
    if (ending == subtask_ending::none) n->to_master.emplace_back(0, std::nullopt);
    n->task->open();
    for (std::uint32_t c = 0; c < n->outputs.size(); ++c)
      n->queue_of({message::kind::open, c})
          .push_back({message::kind::open, c, settings_.channel_bytes, {}, {}});
  }
  const auto loops = graph::find_iterations(graph_).value();
  for (const auto& loop : loops) iterations_.emplace_back(graph_, loop);
  for (auto& n : nodes_)
    for (std::size_t i = 0; i < iterations_.size(); ++i)
      carry_out(i, iterations_[i].on_running(n->id));
}

local_pipeline::~local_pipeline() {
  if (master_) {
    master_->coordinators.close();
    master_->executor.run_all_without_completion();
  }
  for (auto& n : nodes_) {
    n->task->close();
    n->io_executor_.run_all_without_completion();
  }
}

stream_task& local_pipeline::task(std::uint32_t vertex, std::uint32_t subtask) {
  return *node_of_.at({vertex, subtask})->task;
}

void local_pipeline::run() {
  while (!run_some(1'000'000)) {
  }
}

bool local_pipeline::run_some(std::size_t events_max) {
  for (std::size_t i = 0; i < events_max; ++i) {
    if (master_->failed) throw failure(*master_->failed);
    std::vector<std::function<void()>> possible;
    bool all_finished = true;
    for (auto& n : nodes_) {
      node& which = *n;
      if (which.is_finished) continue;
      all_finished = false;
      if (!which.to_master.empty())
        possible.emplace_back([this, &which] { master_->deliver(which); });
      if (which.is_runnable) possible.emplace_back([&] { step(which); });
      for (std::size_t job = 0; job < which.io_executor_.size(); ++job)
        possible.emplace_back([&which, job] {
          which.io_executor_.run(job);
          which.is_runnable = true;
        });
      const auto filled = which.filled_queues();
      for (std::size_t q = 0; q < filled.size(); ++q)
        possible.emplace_back([this, &which, q] { deliver(which, q); });
    }
    if (all_finished) return true;
    for (std::size_t job = 0; job < master_->executor.size(); ++job)
      possible.emplace_back([this, job] { master_->executor.run(job); });
    if (!busy_iterations_.empty())
      possible.emplace_back([this] {
        const auto iteration = busy_iterations_.back();
        busy_iterations_.pop_back();
        carry_out(iteration, iterations_[iteration].on_retry());
      });
    const bool is_due =
        settings_.checkpoints_permille > 0 && !under_way_ && !is_stop_begun_ &&
        (is_stopping_ || static_cast<int>(random_() % 1000) < settings_.checkpoints_permille ||
         (possible.empty() && last_checkpoint_wanted_));
    if (is_due) {
      is_stop_begun_ = is_stopping_;
      begin_checkpoint();
      continue;
    }
    if (possible.empty()) {
      if (!pass_time())
        throw std::logic_error("the job hangs (seed " + std::to_string(settings_.seed) + ")");
      continue;
    }
    ++events_;
    possible[random_() % possible.size()]();
  }
  return false;
}

void local_pipeline::deliver(node& to, std::size_t queue) {
  auto& waiting = to.queues.at(to.filled_queues().at(queue));
  auto next = std::move(waiting.front());
  waiting.pop_front();
  switch (next.what) {
    case message::kind::element:
      to.task->on_element(next.channel, std::move(next.payload));
      queued_bytes_max_ = std::max(queued_bytes_max_, to.task->gate().queued_bytes());
      break;
    case message::kind::credit:
      to.task->on_credit(next.channel, next.bytes);
      break;
    case message::kind::open:
      to.task->on_channel_open(next.channel, next.bytes);
      break;
    case message::kind::alignment:
      to.task->on_alignment_limit(next.limit.first, next.limit.second);
      break;
    case message::kind::event:
      to.task->on_coordinator_event(next.channel, next.event);
      break;
    case message::kind::iteration:
      to.task->on_iteration_command(next.command);
      break;
    case message::kind::trigger:
      to.task->on_checkpoint_trigger(next.cut);
      break;
    case message::kind::complete:
      to.task->on_checkpoint_complete(next.cut.checkpoint);
      break;
    case message::kind::abort:
      to.task->on_checkpoint_aborted(next.cut.checkpoint);
      break;
  }
  to.is_runnable = true;
}

void local_pipeline::step(node& which) {
  switch (which.task->step()) {
    case task_progress::ready:
      break;
    case task_progress::waiting:
      which.is_runnable = false;
      break;
    case task_progress::finished: {
      which.is_finished = true;
      which.task->close();
      master_->coordinators.on_task_gone(which.id);
      on_task_finished(which.id);
      const auto is_this = [&](const execution_attempt_id& task) { return task == which.id; };
      for (const auto& [group, limit] : alignment_.forget(is_this)) announce(group, limit);
      which.io_executor_.run_all_without_completion();
      break;
    }
  }
}

void local_pipeline::announce(const std::string& group, timestamp_ms limit) {
  for (const auto& member : alignment_.members_of(group)) {
    auto& to = *node_of_.at({member.vertex, member.subtask});
    if (!to.is_finished)
      to.queue_of({message::kind::alignment, 0})
          .push_back({message::kind::alignment, 0, 0, {}, {group, limit}});
  }
}

void local_pipeline::carry_out(std::size_t iteration,
                               const iteration_coordinator::decision& decision) {
  for (const auto& [command, tasks] : decision.orders)
    for (const auto& task : tasks)
      node_of_.at({task.vertex, task.subtask})
          ->queue_of({message::kind::iteration, 0})
          .push_back({message::kind::iteration, 0, 0, {}, {}, {}, command});
  if (decision.retry_after) busy_iterations_.push_back(iteration);
}

bool local_pipeline::pass_time() {
  node* first = nullptr;
  for (auto& n : nodes_)
    if (!n->is_finished && n->wake && (first == nullptr || *n->wake < *first->wake))
      first = n.get();
  if (master_->wake && (first == nullptr || *master_->wake <= *first->wake)) {
    clock_.advance_to(*master_->wake);
    master_->wake.reset();
    master_->coordinators.wake(clock_.now());
    return true;
  }
  if (first == nullptr) return false;
  clock_.advance_to(*first->wake);
  first->wake.reset();
  first->is_runnable = true;
  return true;
}

// What the job master does, without its care.

void local_pipeline::begin_checkpoint() {
  under_way_ = {++last_checkpoint_};
  gathered_.clear();
  awaited_.clear();
  for (auto& n : nodes_) {
    if (n->is_finished) {
      gathered_[{n->id.vertex, n->id.subtask}] = {under_way_, subtask_ending::ended, {}};
      continue;
    }
    awaited_.insert(n->id);
    bool is_reached = false;
    for (const auto& in : n->inputs)
      is_reached |= !node_of_.at({in.source_vertex, in.source_subtask})->is_finished;
    if (is_reached) continue;
    message told{message::kind::trigger, 0, 0, {}};
    told.cut = {under_way_,
                is_stopping_ ? checkpoint_kind::final_savepoint : checkpoint_kind::checkpoint,
                settings_.alignment};
    n->queue_of({message::kind::trigger, 0}).push_back(std::move(told));
  }
}

void local_pipeline::on_snapshot(const execution_attempt_id& task, task_snapshot snapshot) {
  if (snapshot.cut.checkpoint != under_way_ || awaited_.erase(task) == 0) return;
  // Barriers that are not aligned may find a task ahead of those that feed it.
  const bool is_certain = settings_.alignment != barrier_alignment::at_least_once;
  auto& saved = snapshot.operators;
  gathered_[{task.vertex, task.subtask}] = {
      under_way_,
      snapshot.operators_finished && is_certain ? subtask_ending::operators_finished
                                                : subtask_ending::none,
      {std::make_move_iterator(saved.begin()), std::make_move_iterator(saved.end())},
      std::move(snapshot.in_flight)};
  if (!awaited_.empty()) return;
  completed_ = std::move(gathered_);
  ++checkpoints_completed_;
  tell_all(message::kind::complete, std::exchange(under_way_, {}));
}

void local_pipeline::on_task_finished(const execution_attempt_id& task) {
  if (!under_way_ || !awaited_.contains(task)) return;
  is_stop_begun_ = false;  // It begins again, for the others.
  tell_all(message::kind::abort, std::exchange(under_way_, {}));
}

void local_pipeline::tell_all(message::kind what, checkpoint_id id) {
  for (auto& n : nodes_) {
    if (n->is_finished) continue;
    message told{what, 0, 0, {}};
    told.cut.checkpoint = id;
    n->queue_of({message::kind::trigger, 0}).push_back(std::move(told));
  }
}

bool local_pipeline::give_up_stop() {
  is_stopping_ = false;
  if (!std::exchange(is_stop_begun_, false) || !under_way_) return false;
  tell_all(message::kind::abort, std::exchange(under_way_, {}));
  return true;
}

void local_pipeline::drain() {
  for (auto& n : nodes_)
    if (!n->is_finished) {
      n->task->drain();
      n->is_runnable = true;
    }
}

accumulator_map local_pipeline::accumulators() const {
  accumulator_map all;
  for (const auto& n : nodes_) merge_into(all, n->task->chain().accumulators());
  return all;
}

}  // namespace millrace::test
