#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/graph/job_graph_builder.hpp"
#include "millrace/stream/job_program.hpp"
#include "millrace/stream/operator_chain.hpp"
#include "support/stream_world.hpp"

namespace millrace::test {

/// What the operators of a job did, in the order of the calls: "open map", "process map 3", …
using call_log = std::vector<std::string>;

/// How an operator of numbers behaves; what is left empty does nothing.
struct script {
  std::function<std::int64_t(std::int64_t)> map;  ///< What becomes of each number.
  std::function<void(operator_context&)> on_open;
  std::function<bool(collector<std::int64_t>&)> on_finish;       ///< As stream_operator::finish.
  std::function<poll_status(collector<std::int64_t>&)> on_poll;  ///< Sources.
  std::function<bool()> is_busy;
  std::function<void()> on_source_end;
  std::function<void(timestamp_ms, collector<std::int64_t>&)> on_processing_time;
  std::function<void(collector<std::int64_t>&)> on_prepare_snapshot;
  bool logs_time = false;  ///< Writes watermarks and idleness down, too.
  std::size_t inputs = 1;
  bool has_output = true;
};

namespace detail {

/// Does what a script says, and writes it down.
template <class Base>
class scripted : public producing<std::int64_t, Base> {
 public:
  scripted(std::string name, script what, std::shared_ptr<call_log> log)
      : name_(std::move(name)), script_(std::move(what)), log_(std::move(log)) {}

  void open(operator_context& context) override {
    note("open");
    if (script_.on_open) script_.on_open(context);
  }
  void end_input(std::size_t input) override { note("end_input", std::to_string(input)); }
  bool finish() override {
    note("finish");
    const bool done = !script_.on_finish || script_.on_finish(this->out_);
    this->out_.flush();
    return done;
  }
  bool is_busy() const noexcept override { return script_.is_busy && script_.is_busy(); }
  void on_watermark(timestamp_ms at) override {
    if (script_.logs_time) note("watermark", at == max_watermark ? "max" : std::to_string(at));
    producing<std::int64_t, Base>::on_watermark(at);
  }
  void on_status(stream_status now) override {
    if (script_.logs_time) note(now == stream_status::idle ? "idle" : "active");
    producing<std::int64_t, Base>::on_status(now);
  }
  void on_alignment_limit(const std::string& group, timestamp_ms limit) override {
    note("limit", group + " " + std::to_string(limit));
  }
  void on_source_end() override {
    if (script_.on_source_end) script_.on_source_end();
  }
  void on_processing_time(timestamp_ms now) override {
    if (!script_.on_processing_time) return;
    note("woken");
    script_.on_processing_time(now, this->out_);
    this->out_.flush();
  }
  void on_coordinator_event(byte_view event) override {
    note("event", std::string(reinterpret_cast<const char*>(event.data()), event.size()));
  }
  void prepare_snapshot(checkpoint_id id) override {
    if (!script_.on_prepare_snapshot) return;
    note("prepare", std::to_string(id.number));
    script_.on_prepare_snapshot(this->out_);
    this->out_.flush();
  }
  void close() noexcept override { note("close"); }

 protected:
  void note(const std::string& call, const std::string& more = {}) {
    log_->push_back(call + " " + name_ + (more.empty() ? "" : " " + more));
  }

  std::string name_;
  script script_;
  std::shared_ptr<call_log> log_;
};

class scripted_operator final : public scripted<stream_operator> {
 public:
  using scripted::scripted;

  void process(std::size_t input, batch& rows, rows_access access) override {
    note("process", std::to_string(input) + (access == rows_access::shared ? " shared" : ""));
    const auto& in = static_cast<typed_batch<std::int64_t>&>(rows);
    for (std::size_t i = 0; i < in.size(); ++i)
      out_.emit(script_.map ? script_.map(in.rows[i]) : in.rows[i], in.timestamp_of(i));
    out_.flush();
  }
};

class scripted_source final : public scripted<source_operator> {
 public:
  using scripted::scripted;

  poll_status poll() override {
    note("poll");
    const auto status = script_.on_poll ? script_.on_poll(out_) : poll_status::finished;
    out_.flush();
    return status;
  }
};

class scripted_factory final : public operator_factory {
 public:
  scripted_factory(std::string name, script what, std::shared_ptr<call_log> log, bool is_source)
      : name_(std::move(name)),
        script_(std::move(what)),
        log_(std::move(log)),
        source_(is_source) {}

  std::unique_ptr<stream_operator> create() const override {
    if (source_) return std::make_unique<scripted_source>(name_, script_, log_);
    return std::make_unique<scripted_operator>(name_, script_, log_);
  }
  const record_type* input_type(std::size_t input) const noexcept override {
    return !source_ && input < script_.inputs ? &record_type_of<std::int64_t>() : nullptr;
  }
  const record_type* output_type() const noexcept override {
    return script_.has_output ? &record_type_of<std::int64_t>() : nullptr;
  }

 private:
  std::string name_;
  script script_;
  std::shared_ptr<call_log> log_;
  bool source_;
};

}  // namespace detail

/// Builds jobs of numbers out of scripts.
struct job_maker {
  std::shared_ptr<job_program> program = std::make_shared<job_program>();
  std::shared_ptr<call_log> log = std::make_shared<call_log>();
  std::uint32_t parallelism = 1;

  std::uint32_t source(std::string name, script what = {}) { return add(name, what, true); }
  std::uint32_t op(std::string name, script what = {}) { return add(name, what, false); }
  std::uint32_t sink(std::string name, script what = {}) {
    const auto id = add(name, what, false);
    program->graph.node(id).is_sink = true;
    return id;
  }

  void connect(std::uint32_t from, std::uint32_t to,
               graph::partitioning how = graph::partitioning::forward, std::uint32_t input = 0,
               bool is_feedback = false) {
    graph::stream_edge edge;
    edge.source = from;
    edge.target = to;
    edge.target_input = input;
    edge.partitioning = how;
    edge.is_explicit = true;
    edge.is_feedback = is_feedback;
    program->graph.add_edge(edge);
    program->routers.push_back(router_factory_ptr(new plain_router_factory<std::int64_t>(how)));
  }

  /// Back to the head of an iteration.
  void feed_back(std::uint32_t from, std::uint32_t head, graph::partitioning how) {
    program->graph.node(head).is_iteration_head = true;
    connect(from, head, how, 1, true);
  }

  graph::job_graph build() const {
    graph::job_defaults defaults;
    defaults.job_name = "numbers";
    defaults.parallelism = parallelism;
    return graph::build_job_graph(program->graph, defaults).value();
  }

 private:
  std::uint32_t add(const std::string& name, const script& what, bool is_source) {
    const auto& type = record_type_of<std::int64_t>();
    const graph::record_type described{std::string(type.description()), type.fingerprint()};
    graph::stream_node node;
    node.kind = node.name = name;
    node.is_source = is_source;
    if (!is_source) node.inputs.assign(what.inputs, described);
    node.output = described;
    program->operators.push_back(
        operator_factory_ptr(new detail::scripted_factory(name, what, log, is_source)));
    return program->graph.add_node(std::move(node));
  }
};

/// Emits 0, 1, 2, … in batches of `rows`, then ends.
inline script counting_source(std::int64_t batches, std::int64_t rows) {
  script what;
  what.on_poll = [next = std::int64_t{0}, batches, rows](collector<std::int64_t>& out) mutable {
    if (next == batches) return poll_status::finished;
    for (auto n : numbers(rows, next * rows)) out.emit(n);
    ++next;
    return poll_status::more;
  };
  return what;
}

inline execution_attempt_id subtask(std::uint32_t vertex, std::uint32_t index = 0) {
  return {job_id{1, 1}, vertex, index, 0};
}

}  // namespace millrace::test
