#include "millrace/stream/operator_chain.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/channels.hpp"
#include "millrace/stream/operator_chain_link.hpp"
#include "millrace/stream/operator_failure.hpp"

namespace millrace {

namespace {

/// Null if the program has no such operator or input.
const record_type* input_type_of(const job_program& program, const graph::chained_operator& op,
                                 std::uint32_t input) {
  if (op.node >= program.operators.size() || !program.operators[op.node]) return nullptr;
  return program.operators[op.node]->input_type(input);
}

/// Throws `failure(type_mismatch)`.
void check_in_flight_type(const record_type& expected, const batch& rows) {
  if (auto same = check_record_type(expected, rows); !same)
    throw failure(
        errc::type_mismatch,
        "records that were on their way between two tasks are of another type than now: " +
            same.error().message +
            ", or take a savepoint before changing the type of a stream's records");
}

}  // namespace

operator_chain::operator_chain(const graph::job_graph& graph, const execution_attempt_id& who,
                               const job_program& program, task_services& services,
                               const task_options& options)
    : services_(services),
      batches_(options.batches),
      auto_watermark_interval_(options.auto_watermark_interval),
      is_checkpointed_(options.is_checkpointed),
      spilling_(options.spilling),
      loop_(graph::iteration_role_of(graph, who.vertex)) {
  const auto& vertex = graph.vertices.at(who.vertex);
  make_operators(graph, vertex, who, program, options);
  make_exchanges(graph, who, program, options);
  for (auto& l : links_) l->op().bind_output(l->out(), options.batches);
}

operator_chain::~operator_chain() {
  close();
}

void operator_chain::make_operators(const graph::job_graph& graph, const graph::job_vertex& vertex,
                                    const execution_attempt_id& who, const job_program& program,
                                    const task_options& options) {
  for (const auto& description : vertex.operators) {
    if (description.node >= program.operators.size() || !program.operators[description.node])
      throw failure(errc::invalid_graph,
                    "this node has no code for operator '" + description.name +
                        "': it was built from another job than the one submitted");
    const auto& factory = *program.operators[description.node];
    auto op = factory.create();
    if (links_.empty()) {
      source_ = dynamic_cast<source_operator*>(op.get());
      for (std::size_t i = 0; factory.input_type(i) != nullptr; ++i)
        head_types_.push_back(factory.input_type(i));
    }
    runtime_context::identity identity{.job_name = graph.name,
                                       .job = who.job,
                                       .operator_name = description.name,
                                       .operator_uid = description.uid,
                                       .subtask_index = who.subtask,
                                       .parallelism = vertex.parallelism,
                                       .max_parallelism = vertex.max_parallelism,
                                       .attempt = who.attempt,
                                       .mode = graph.mode};
    links_.push_back(
        std::make_unique<link>(std::move(op), std::move(identity), *this, options.state));
    if (factory.has_coordinator()) links_.back()->expect_coordinator();
    for (const auto& input : description.inputs) {
      if (input.from_operator)
        links_.at(*input.from_operator)
            ->add_consumer(input.side_output, *links_.back(), factory.input_type(input.input),
                           is_in_loop(links_.size() - 1));
    }
  }
}

void operator_chain::make_exchanges(const graph::job_graph& graph, const execution_attempt_id& who,
                                    const job_program& program, const task_options& options) {
  std::uint32_t next_channel = 0;
  for (const auto* edge : graph::out_edges(graph, who.vertex)) {
    const auto consumers = graph::consumers_of(graph, *edge, who.subtask);
    const auto& target = graph.vertices.at(edge->target_vertex);
    exchange_of_channel_.insert(exchange_of_channel_.end(), consumers.count,
                                static_cast<std::uint32_t>(exchanges_.size()));
    first_channel_.push_back(next_channel);
    exchanges_.push_back(std::make_unique<exchange>(services_, next_channel, consumers.count,
                                                    options.batches, options.record_bytes_max));
    next_channel += consumers.count;
    MILLRACE_ASSERT(consumers.count > 0, "an exchange leads somewhere from every sender");
    const router_context where{who.subtask, target.parallelism, target.max_parallelism};
    if (edge->stream_edge >= program.routers.size() || !program.routers[edge->stream_edge])
      throw failure(errc::invalid_graph,
                    "this node has no code for the stream from '" +
                        graph.vertices.at(who.vertex).operators.at(edge->source_operator).name +
                        "' to '" + target.name +
                        "': it was built from another job than the one submitted");
    routers_.push_back(program.routers[edge->stream_edge]->create(*exchanges_.back(), where));
    const auto* type =
        input_type_of(program, target.operators.at(edge->target_operator), edge->target_input);
    traits_.push_back({!graph::can_be_overtaken(graph, *edge), type});
    links_.at(edge->source_operator)
        ->add_consumer(edge->side_output, *routers_.back(), type,
                       loop_ && loop_->has_edge[edge->id] && !edge->is_feedback);
  }
}

void operator_chain::restore(std::vector<std::optional<operator_snapshot>> saved) {
  if (saved.size() != links_.size())
    throw failure(errc::internal, "state of " + std::to_string(saved.size()) +
                                      " operators can't be restored to a task with " +
                                      std::to_string(links_.size()));
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (saved[i]) links_[i]->restore(*std::move(saved[i]));
}

void operator_chain::open() {
  open_ = true;
  // Downstream first, so that whoever emits in open() is heard (as Flink does).
  for (auto l = links_.rbegin(); l != links_.rend(); ++l)
    (*l)->named([&] { (*l)->op().open(**l); });
}

void operator_chain::open_finished() {
  open_ = true;
  if (source_ != nullptr) links_.front()->leave_closed();
  for (auto l = links_.rbegin(); l != links_.rend(); ++l)
    (*l)->if_open([&](auto& op) { op.open(**l); });
}

void operator_chain::close() noexcept {
  if (!std::exchange(open_, false)) return;
  for (auto& l : links_) l->close();
}

poll_status operator_chain::poll() {
  return links_.front()->named([&] { return source_->poll(); });
}

void operator_chain::process(std::uint32_t input, const batch_ptr& rows) {
  auto& head = *links_.front();
  const auto& type = *head_types_.at(input);
  if (rows->is_encoded()) {
    auto decoded =
        head.named([&] { return type.decode(static_cast<const encoded_batch&>(*rows)); });
    if (!decoded) throw operator_failure(head.runtime().operator_name(), decoded.error());
    head.process(input, **decoded, rows_access::exclusive);
    return;
  }
  if (auto same = check_record_type(type, *rows); !same)
    throw operator_failure(head.runtime().operator_name(), same.error());
  head.process(input, *rows, rows->is_unique() ? rows_access::exclusive : rows_access::shared);
}

void operator_chain::end_input(std::uint32_t input) {
  links_.front()->named([&] { links_.front()->op().end_input(input); });
}

void operator_chain::on_time(const watermark_change& change) {
  auto& head = *links_.front();
  if (change.status == stream_status::active) head.on_status(stream_status::active);
  if (change.watermark) head.on_watermark(*change.watermark);
  if (change.status == stream_status::idle && !MILLRACE_MUTANT(idle_kept))
    head.on_status(stream_status::idle);
}

void operator_chain::wake_at(std::chrono::steady_clock::time_point when) {
  next_wake_ = std::min(next_wake_, when);
  services_.wake_at(when);
}

void operator_chain::wake_operators(std::chrono::steady_clock::time_point now) {
  if (now >= next_wake_) {
    next_wake_ = never;
    for (std::size_t i = 0; i < links_.size(); ++i)
      if (!loop_timers_held_ || !is_in_loop(i))
        next_wake_ = std::min(next_wake_, links_[i]->wake(now));
  }
  // The task keeps one wake-up, the earliest, and forgets it when it comes: also if another event
  // has led here a moment before, and what it was for is done.
  if (next_wake_ != never) services_.wake_at(next_wake_);
}

void operator_chain::wake_committing(std::chrono::steady_clock::time_point now) {
  for (auto& l : links_)
    if (l->op().is_committing()) wake(*l, now);
}

void operator_chain::wake_busy(std::chrono::steady_clock::time_point now) {
  for (auto& l : links_)
    if (l->op().is_busy() || l->op().is_committing()) wake(*l, now);
}

void operator_chain::wake(link& which, std::chrono::steady_clock::time_point now) {
  if (const auto next = which.wake(now); next != never) services_.wake_at(next);
}

void operator_chain::hold_loop_timers(bool held) {
  loop_timers_held_ = held;
  if (held) return;
  for (const auto& l : links_) next_wake_ = std::min(next_wake_, l->next_wake());
}

void operator_chain::on_alignment_limit(const std::string& group, timestamp_ms limit) {
  for (auto& l : links_) l->if_open([&](auto& op) { op.on_alignment_limit(group, limit); });
}

void operator_chain::on_source_end() {
  for (auto& l : links_) l->op().on_source_end();
}

void operator_chain::on_coordinator_event(std::uint32_t operator_index, byte_view event) {
  links_[operator_index]->if_open([&](auto& op) { op.on_coordinator_event(event); });
}

finish_status operator_chain::finish_step() {
  // Links are in topological order, so everything above the one in turn has been finished. What a
  // finished operator emits may keep any other one busy.
  while (finished_ < links_.size()) {
    if (is_busy()) return finish_status::busy;
    auto& l = *links_[finished_];
    const bool is_fed_by_chain = finished_ > 0;  // the head's inputs were ended one by one
    if (is_fed_by_chain && !std::exchange(input_ended_, true)) {
      l.on_watermark(max_watermark);
      l.named([&] { l.op().end_input(0); });
    }
    if (!l.named([&] { return l.op().finish(); })) return finish_status::more;
    input_ended_ = false;
    ++finished_;
  }
  return is_busy() ? finish_status::busy : finish_status::done;
}

void operator_chain::prepare_snapshot(checkpoint_id checkpoint) {
  for (auto& l : links_) l->prepare_snapshot(checkpoint);
}

bool operator_chain::holds_up_barrier() const noexcept {
  return std::any_of(links_.begin(), links_.end(), [](const auto& l) {
    return l->op().is_busy() && !l->op().lets_barriers_pass();
  });
}

std::vector<operator_snapshot> operator_chain::begin_snapshot(checkpoint_id checkpoint,
                                                              snapshot_form form) {
  std::vector<operator_snapshot> all;
  all.reserve(links_.size());
  for (auto& l : links_) all.push_back(l->begin_snapshot(checkpoint, form));
  written_ = 0;
  return all;
}

bool operator_chain::write_snapshot(std::vector<operator_snapshot>& snapshot, std::size_t bytes) {
  snapshot_budget budget(bytes);
  for (; written_ < links_.size(); ++written_)
    if (!links_[written_]->write_snapshot(snapshot[written_], budget)) return false;
  return true;
}

void operator_chain::abandon_snapshot() noexcept {
  for (auto& l : links_) l->keyed_state().abandon_snapshot();
}

void operator_chain::on_checkpoint_complete(checkpoint_id checkpoint) {
  for (auto& l : links_) l->if_open([&](auto& op) { op.on_checkpoint_complete(checkpoint); });
}

void operator_chain::on_checkpoint_aborted(checkpoint_id checkpoint) {
  for (auto& l : links_) l->if_open([&](auto& op) { op.on_checkpoint_aborted(checkpoint); });
}

void operator_chain::flush() {
  for (auto& router : routers_) router->flush();
}

bool operator_chain::is_busy() const noexcept {
  return std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l->op().is_busy(); });
}

bool operator_chain::holds_records() const noexcept {
  return std::any_of(links_.begin(), links_.end(),
                     [](const auto& l) { return l->op().holds_records(); });
}

bool operator_chain::is_committing() const noexcept {
  return std::any_of(links_.begin(), links_.end(),
                     [](const auto& l) { return l->op().is_committing(); });
}

void operator_chain::rethrow_io_failure() {
  for (auto& l : links_) l->rethrow_io_failure();
}

bool operator_chain::is_blocked() const noexcept {
  return std::any_of(exchanges_.begin(), exchanges_.end(),
                     [](const auto& e) { return e->is_blocked(); });
}

exchange& operator_chain::exchange_of_channel(std::uint32_t channel,
                                              std::uint32_t& index_in_exchange) {
  MILLRACE_ASSERT(channel < exchange_of_channel_.size(), "no such output channel");
  const auto which = exchange_of_channel_[channel];
  index_in_exchange = channel - first_channel_[which];
  return *exchanges_[which];
}

void operator_chain::send_barrier(const barrier& cut, in_flight_batches& overtaken) {
  const bool overtakes = cut.alignment == barrier_alignment::unaligned;
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    if (overtakes && !traits_[i].keeps_order)
      exchanges_[i]->overtake(cut, overtaken);
    else
      exchanges_[i]->broadcast(cut);
  }
}

void operator_chain::send_again(const in_flight_batch& overtaken) {
  if (overtaken.channel >= output_channel_count())
    throw failure(errc::invalid_data, "it has a batch for output channel " +
                                          std::to_string(overtaken.channel) + " of a task with " +
                                          std::to_string(output_channel_count()));
  if (const auto* type = traits_[exchange_of_channel_[overtaken.channel]].type)
    check_in_flight_type(*type, *overtaken.rows);
  std::uint32_t index = 0;
  exchange_of_channel(overtaken.channel, index).send_again(index, overtaken.rows);
}

void operator_chain::check_input_type(std::uint32_t input, const batch& rows) const {
  check_in_flight_type(*head_types_.at(input), rows);
}

std::uint32_t operator_chain::output_channel_count() const noexcept {
  return static_cast<std::uint32_t>(exchange_of_channel_.size());
}

std::vector<std::uint64_t> operator_chain::elements_sent() const {
  std::vector<std::uint64_t> sent;
  for (const auto& e : exchanges_)
    for (std::uint32_t c = 0; c < e->channel_count(); ++c) sent.push_back(e->elements_sent(c));
  return sent;
}

operator_counts operator_chain::counts(std::size_t index) const noexcept {
  return links_[index]->counts();
}

timestamp_ms operator_chain::output_watermark(std::size_t index) const noexcept {
  return links_[index]->out().watermark();
}

const runtime_context& operator_chain::runtime(std::size_t index) const noexcept {
  return std::as_const(*links_[index]).runtime();
}

accumulator_map operator_chain::accumulators() const {
  accumulator_map all;
  for (const auto& l : links_) merge_into(all, std::as_const(*l).runtime().accumulators());
  return all;
}

}  // namespace millrace
