#include "millrace/stream/operator_chain.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <typeinfo>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/channels.hpp"
#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/operator_state.hpp"
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

/// One operator in its place: its context, its output, and the consumer that its predecessor feeds.
class operator_chain::link final : public batch_consumer,
                                   public operator_context,
                                   private io_executor {
 public:
  link(std::unique_ptr<stream_operator> op, runtime_context::identity who, operator_chain& chain,
       std::shared_ptr<state_backend> state)
      : op_(std::move(op)),
        runtime_(std::move(who)),
        chain_(chain),
        services_(chain.services_),
        keyed_state_(keyed_state_of(runtime_, services_.time()), std::move(state)),
        operator_state_(runtime_.operator_name()),
        index_(static_cast<std::uint32_t>(chain.links_.size())) {}

  /// `side_output` is the tag, empty for the main output; `type` is what the consumer reads.
  /// `in_loop` if both ends are part of one loop.
  void add_consumer(const std::string& side_output, batch_consumer& consumer,
                    const record_type* type, bool in_loop) {
    if (in_loop) out_.add_to_loop(consumer);
    if (side_output.empty()) return out_.add(consumer);
    if (type == nullptr)
      throw failure(errc::invalid_graph,
                    "this node has no code for what reads side output '" + side_output +
                        "' of operator '" + runtime_.operator_name() +
                        "': it was built from another job than the one submitted");
    auto& side = side_[side_output];
    side.type = type;  // the same for all: the graph was checked
    side.out.add(consumer);
    out_.add_to_time(consumer);
  }

  /// Runs a call into the operator; what it throws gets the operator's name.
  template <class Call>
  decltype(auto) named(Call&& call) {
    try {
      return call();
    } catch (...) {
      rethrow_as_operator_failure(runtime_.operator_name());
    }
  }

  void consume(batch& rows, rows_access access) override { process(0, rows, access); }
  void on_watermark(timestamp_ms at) override {
    // In a loop, event time ends before the input does, which ends it, too.
    if (at == max_watermark && std::exchange(has_time_ended_, true)) return;
    named([&] { op_->on_watermark(at); });
  }
  void on_status(stream_status now) override {
    named([&] { op_->on_status(now); });
  }

  void process(std::uint32_t input, batch& rows, rows_access access) {
    rows_in_ += rows.size();
    named([&] { op_->process(input, rows, access); });
  }

  stream_operator& op() noexcept { return *op_; }
  const stream_operator& op() const noexcept { return *op_; }
  output& out() noexcept { return out_; }
  operator_counts counts() const noexcept {
    auto rows_out = out_.rows_out();
    for (const auto& [tag, side] : side_) rows_out += side.out.rows_out();
    return {rows_in_, rows_out};
  }

  runtime_context& runtime() noexcept override { return runtime_; }
  const runtime_context& runtime() const noexcept { return runtime_; }
  io_executor& io() noexcept override { return *this; }
  file_system& files() noexcept override { return services_.files(); }
  const clock& time() const noexcept override { return services_.time(); }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    wake_ = std::min(wake_, when);
    // The task steps after each completion: no timer is needed for what is due at once.
    if (is_completing_ && when <= services_.time().now())
      chain_.next_wake_ = std::min(chain_.next_wake_, when);
    else
      chain_.wake_at(when);
  }

  output* side_output(const std::string& tag, const record_type& type) override {
    const auto side = side_.find(tag);
    if (side == side_.end()) return nullptr;
    // Different types may have one fingerprint, but batches in memory are of one C++ type.
    if (typeid(*side->second.type) != typeid(type))
      throw failure(errc::type_mismatch, "side output '" + tag + "' is given records of type " +
                                             std::string(type.description()) +
                                             ", but the job reads it as " +
                                             std::string(side->second.type->description()) +
                                             ": use an output_tag of the same type at both ends");
    return &side->second.out;
  }
  const batch_limits& batches() const noexcept override { return chain_.batches_; }
  const spill_options& spilling() const noexcept override { return chain_.spilling_; }
  std::chrono::milliseconds auto_watermark_interval() const noexcept override {
    return chain_.auto_watermark_interval_;
  }
  bool is_checkpointed() const noexcept override { return chain_.is_checkpointed_; }
  void expect_coordinator() noexcept { has_coordinator_ = true; }
  bool is_restored() const noexcept override { return is_restored_; }
  void send_to_coordinator(std::vector<std::byte> event) override {
    if (!has_coordinator_)
      throw failure(errc::internal, "operator '" + runtime_.operator_name() +
                                        "' sends an event to its coordinator, but its factory "
                                        "says that it has none");
    services_.send_to_coordinator(index_, std::move(event));
  }
  void report_alignment(const alignment_report& report) override {
    services_.report_alignment(index_, report);
  }

  /// Calls the operator if its wake-up is due; returns the next one.
  std::chrono::steady_clock::time_point wake(std::chrono::steady_clock::time_point now) {
    if (wake_ <= now) {
      wake_ = never;
      named([&] { op_->on_processing_time(services_.time().wall_ms()); });
    }
    return wake_;
  }
  std::chrono::steady_clock::time_point next_wake() const noexcept { return wake_; }
  void restore(operator_snapshot saved) {
    is_restored_ = true;
    keyed_state_.restore(std::move(saved.keyed_state), std::move(saved.database));
    named([&] {
      if (auto done = operator_state_.restore(saved.operator_state); !done)
        throw failure(done.error());
    });
  }
  void prepare_snapshot(checkpoint_id checkpoint) {
    if (prepared_for_ == checkpoint && rows_prepared_ == rows_in_) return;
    prepared_for_ = checkpoint;
    rows_prepared_ = rows_in_;
    named([&] { op_->prepare_snapshot(checkpoint); });
  }
  operator_snapshot begin_snapshot(checkpoint_id checkpoint, snapshot_form form) {
    return named([&]() -> operator_snapshot {
      op_->snapshot_state(checkpoint);
      keyed_state_.begin_snapshot(form);
      return {operator_state_.snapshot(), {}, keyed_state_.snapshot_image()};
    });
  }
  bool write_snapshot(operator_snapshot& into, snapshot_budget& budget) {
    return named([&] {
      if (!keyed_state_.write_snapshot(budget)) return false;
      into.keyed_state = keyed_state_.take_snapshot();
      return true;
    });
  }

  keyed_state_slot& keyed_state() noexcept override { return keyed_state_; }
  operator_state_backend& operator_state() noexcept override { return operator_state_; }

  /// After this no completion reaches the operator.
  void close() noexcept {
    is_open_.reset();
    op_->close();
    keyed_state_.close();
  }

  void rethrow_io_failure() {
    if (io_failure_) std::rethrow_exception(std::exchange(io_failure_, nullptr));
  }

 private:
  static keyed_state_environment keyed_state_of(const runtime_context& self, const clock& time) {
    return {.operator_name = self.operator_name(),
            .operator_uid = self.operator_uid(),
            .subtask_index = self.subtask_index(),
            .groups = key_group_range_of(self.subtask_index(), self.max_parallelism(),
                                         self.parallelism()),
            .max_parallelism = self.max_parallelism(),
            .time = &time};
  }

  void submit(std::function<void()> work, std::function<void()> done) override {
    services_.io().submit(std::move(work), guarded(std::move(done)));
  }
  std::function<void()> expect(std::function<void()> done) override {
    return services_.io().expect(guarded(std::move(done)));
  }

  /// Completions come from outside a step, where nobody expects an exception.
  std::function<void()> guarded(std::function<void()> done) {
    return [this, done = std::move(done), open = std::weak_ptr<bool>(is_open_)] {
      if (open.expired()) return;
      is_completing_ = true;
      try {
        named(done);
      } catch (...) {
        if (!io_failure_) io_failure_ = std::current_exception();
      }
      is_completing_ = false;
    };
  }

  std::unique_ptr<stream_operator> op_;
  runtime_context runtime_;
  operator_chain& chain_;
  task_services& services_;
  keyed_state_slot keyed_state_;
  operator_state_backend operator_state_;
  std::uint32_t index_;  // of the vertex
  bool has_coordinator_ = false;
  std::chrono::steady_clock::time_point wake_ = never;
  output out_;
  struct side_stream {
    const record_type* type = nullptr;
    output out;
  };
  std::map<std::string, side_stream> side_;  // by tag
  std::uint64_t rows_in_ = 0;
  checkpoint_id prepared_for_;
  std::uint64_t rows_prepared_ = 0;  // that had come when it prepared
  std::shared_ptr<bool> is_open_ = std::make_shared<bool>(true);
  bool has_time_ended_ = false;
  bool is_completing_ = false;  // a completion of I/O is with the operator
  bool is_restored_ = false;
  std::exception_ptr io_failure_;
};

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
    traits_.push_back({!graph::can_be_overtaken(edge->partitioning), type});
    links_.at(edge->source_operator)
        ->add_consumer(edge->side_output, *routers_.back(), type,
                       loop_ && loop_->has_edge[edge->id] && !edge->is_feedback);
  }
}

void operator_chain::restore(std::vector<operator_snapshot> saved) {
  if (saved.size() != links_.size())
    throw failure(errc::internal, "state of " + std::to_string(saved.size()) +
                                      " operators can't be restored to a task with " +
                                      std::to_string(links_.size()));
  for (std::size_t i = 0; i < links_.size(); ++i) links_[i]->restore(std::move(saved[i]));
}

void operator_chain::open() {
  open_ = true;
  // Downstream first, so that whoever emits in open() is heard (as Flink does).
  for (auto l = links_.rbegin(); l != links_.rend(); ++l)
    (*l)->named([&] { (*l)->op().open(**l); });
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
    if (l->op().is_committing())
      if (const auto next = l->wake(now); next != never) services_.wake_at(next);
}

void operator_chain::hold_loop_timers(bool held) {
  loop_timers_held_ = held;
  if (held) return;
  for (const auto& l : links_) next_wake_ = std::min(next_wake_, l->next_wake());
}

void operator_chain::on_alignment_limit(const std::string& group, timestamp_ms limit) {
  for (auto& l : links_) l->named([&] { l->op().on_alignment_limit(group, limit); });
}

void operator_chain::on_coordinator_event(std::uint32_t operator_index, byte_view event) {
  auto& l = *links_[operator_index];
  l.named([&] { l.op().on_coordinator_event(event); });
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
  return std::any_of(links_.begin(), links_.end(),
                     [](const auto& l) { return l->op().is_busy() && !l->op().is_held_back(); });
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
  for (auto& l : links_) l->named([&] { l->op().on_checkpoint_complete(checkpoint); });
}

void operator_chain::on_checkpoint_aborted(checkpoint_id checkpoint) {
  for (auto& l : links_) l->named([&] { l->op().on_checkpoint_aborted(checkpoint); });
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
