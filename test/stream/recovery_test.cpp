#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>

#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/operator_state.hpp"
#include "support/local_pipeline.hpp"
#include "support/memory_files.hpp"
#include "support/stream_jobs.hpp"

namespace recovery_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;

// Pipelines that are killed at any moment and go on from their last checkpoint: what they commit
// is what they commit without.

namespace {

/// Emits 0 to `end`, dealt out to the subtasks; keeps where it is.
class resuming_source final : public producing<std::int64_t, source_operator> {
 public:
  explicit resuming_source(std::int64_t end) : end_(end) {}

  void open(operator_context& context) override {
    step_ = context.runtime().parallelism();
    kept_ = context.operator_state().get_list_state(list_state_descriptor<std::int64_t>("next"));
    next_ = kept_.get().empty() ? context.runtime().subtask_index() : kept_.get().front();
  }
  poll_status poll() override {
    for (int i = 0; i < 5 && next_ < end_; ++i, next_ += step_) out_.emit(next_);
    out_.flush();
    return next_ < end_ ? poll_status::more : poll_status::finished;
  }
  void snapshot_state(checkpoint_id) override { kept_.update({next_}); }

 private:
  std::int64_t end_;
  std::int64_t step_ = 1;
  std::int64_t next_ = 0;
  operator_list_state<std::int64_t> kept_;
};

/// For each number n, how many of its key n % 10 have come: 100 * that + key. Sums up in members
/// before a barrier, as local aggregation does: emits in the next batch, or when it must.
class counting_operator final : public producing<std::int64_t> {
 public:
  void open(operator_context& context) override {
    backend_ = &context.keyed_backend<std::int64_t>();
    count_ = backend_->get_state(value_state_descriptor<std::int64_t>("count"));
  }
  void process(std::size_t, batch& rows, rows_access) override {
    emit_held();
    for (const auto n : rows_of<std::int64_t>(rows)) {
      backend_->set_current_key(n % 10);
      held_.push_back(100 * ++count_.get_or_default() + n % 10);
    }
  }
  void on_watermark(timestamp_ms at) override {
    emit_held();
    producing::on_watermark(at);
  }
  void prepare_snapshot(checkpoint_id) override { emit_held(); }

 private:
  void emit_held() {
    for (const auto n : held_) out_.emit(n);
    held_.clear();
    out_.flush();
  }

  keyed_state_backend<std::int64_t>* backend_ = nullptr;
  value_state<std::int64_t> count_;
  std::vector<std::int64_t> held_;
};

/// What sinks have made visible, by checkpoint and subtask, however often they say it.
struct committed_rows {
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::vector<std::int64_t>> transactions;

  std::multiset<std::int64_t> all() const {
    std::multiset<std::int64_t> rows;
    for (const auto& [id, some] : transactions) rows.insert(some.begin(), some.end());
    return rows;
  }
};

/// Commits at the completion of a checkpoint; what was not committed is part of the state.
class transactional_sink final : public stream_operator {
 public:
  explicit transactional_sink(std::shared_ptr<committed_rows> target)
      : target_(std::move(target)) {}

  void open(operator_context& context) override {
    subtask_ = context.runtime().subtask_index();
    kept_ = context.operator_state().get_list_state(
        list_state_descriptor<std::pair<std::uint64_t, std::vector<std::int64_t>>>("pending"));
    // They belong to the checkpoint that is restored, or to one before, so they are complete.
    for (const auto& [id, rows] : kept_.get()) commit(id, rows);
    kept_.clear();
  }
  void process(std::size_t, batch& rows, rows_access) override {
    for (const auto n : rows_of<std::int64_t>(rows)) open_.push_back(n);
  }
  void on_watermark(timestamp_ms) override {}
  void on_status(stream_status) override {}
  void snapshot_state(checkpoint_id id) override {
    pending_[id.number] = std::exchange(open_, {});
    kept_.update({pending_.begin(), pending_.end()});
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    while (!pending_.empty() && pending_.begin()->first <= id.number) {
      commit(pending_.begin()->first, pending_.begin()->second);
      pending_.erase(pending_.begin());
    }
  }

 private:
  void commit(std::uint64_t id, const std::vector<std::int64_t>& rows) {
    auto [at, is_new] = target_->transactions.try_emplace({id, subtask_}, rows);
    if (!is_new) CHECK(at->second == rows);
  }

  std::shared_ptr<committed_rows> target_;
  std::uint32_t subtask_ = 0;
  std::vector<std::int64_t> open_;
  std::map<std::uint64_t, std::vector<std::int64_t>> pending_;
  operator_list_state<std::pair<std::uint64_t, std::vector<std::int64_t>>> kept_;
};

template <class Make>
class made_factory final : public operator_factory {
 public:
  made_factory(Make make, bool has_input, bool has_output)
      : make_(std::move(make)), has_input_(has_input), has_output_(has_output) {}
  std::unique_ptr<stream_operator> create() const override { return make_(); }
  const record_type* input_type(std::size_t input) const noexcept override {
    return has_input_ && input == 0 ? &record_type_of<std::int64_t>() : nullptr;
  }
  const record_type* output_type() const noexcept override {
    return has_output_ ? &record_type_of<std::int64_t>() : nullptr;
  }

 private:
  Make make_;
  bool has_input_;
  bool has_output_;
};

template <class Make>
operator_factory_ptr made(Make make, bool has_input, bool has_output) {
  return operator_factory_ptr(new made_factory<Make>(std::move(make), has_input, has_output));
}

/// source => count, by key => sink
struct counting_job {
  job_maker make;
  std::shared_ptr<committed_rows> committed = std::make_shared<committed_rows>();

  counting_job(std::int64_t end, std::uint32_t parallelism,
               partitioning to_sinks = partitioning::rebalance) {
    make.parallelism = parallelism;
    const auto source = make.source("source");
    const auto count = make.op("count");
    const auto sink = make.sink("sink");
    make.connect(source, count, partitioning::hash);
    make.connect(count, sink, to_sinks);
    const auto key_of = [](std::int64_t n) { return n % 10; };
    make.program->routers[0].reset(
        new keyed_router_factory<std::int64_t, decltype(key_of)>(key_of));
    make.program->operators = {
        made([end] { return std::make_unique<resuming_source>(end); }, false, true),
        made([] { return std::make_unique<counting_operator>(); }, true, true),
        made([to = committed] { return std::make_unique<transactional_sink>(to); }, true, false)};
  }

  static std::multiset<std::int64_t> expected(std::int64_t end) {
    std::multiset<std::int64_t> rows;
    for (std::int64_t n = 0; n < end; ++n) rows.insert(100 * (n / 10 + 1) + n % 10);
    return rows;
  }
};

/// From an entry in a step to all of them.
constexpr std::size_t slice_bytes_of(std::uint64_t seed) {
  return seed % 4 == 0 ? 1'000'000 : 1 + seed % 4 * 40;
}

}  // namespace

/// Runs a job in several lives, each of which ends at a random moment but the last.
std::multiset<std::int64_t> run_with_kills(std::uint64_t seed, std::int64_t end,
                                           barrier_alignment alignment,
                                           std::size_t* in_flight = nullptr) {
  std::mt19937_64 random(seed);
  const auto parallelism = 1 + static_cast<std::uint32_t>(random() % 3);
  counting_job job(end, parallelism,
                   seed % 3 == 0 ? partitioning::rescale : partitioning::rebalance);
  memory_files files;
  pipeline_settings settings;
  settings.tasks.is_checkpointed = true;
  settings.tasks.snapshot_slice_bytes = slice_bytes_of(seed);
  settings.checkpoints_permille = 1 + static_cast<int>(random() % 50);
  settings.alignment = alignment;
  settings.channel_bytes = seed % 2 == 0 ? 256 : 2048;
  settings.tasks.alignment_max = std::chrono::milliseconds(random() % 2);
  local_pipeline::checkpoint from;
  for (int life = 0; life < 4; ++life) {
    settings.seed = random();
    local_pipeline pipeline(job.make.build(), job.make.program, files, settings, &from);
    if (life < 3) {
      if (pipeline.run_some(random() % 1500)) break;
    } else {
      pipeline.run();
    }
    if (!pipeline.last_checkpoint().empty()) from = pipeline.last_checkpoint();
    if (in_flight != nullptr)
      for (const auto& [who, saved] : from) *in_flight += saved.in_flight.size();
  }
  return job.committed->all();
}

TEST_CASE("what a pipeline commits is the same however often it is killed") {
  constexpr std::int64_t end = 600;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    CHECK(run_with_kills(seed, end, barrier_alignment::exactly_once) ==
          counting_job::expected(end));
  }
}

TEST_CASE("it is the same with unaligned checkpoints, whatever is on its way") {
  constexpr std::int64_t end = 600;
  for (const auto how : {barrier_alignment::unaligned, barrier_alignment::aligned_at_first}) {
    std::size_t in_flight = 0;
    for (std::uint64_t seed = 1; seed <= 90; ++seed) {
      CAPTURE(seed);
      CHECK(run_with_kills(seed, end, how, &in_flight) == counting_job::expected(end));
    }
    CHECK(in_flight > 100);
  }
}

TEST_CASE("without alignment nothing is lost, but records may count twice") {
  constexpr std::int64_t end = 600;
  int counted_twice = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    const auto committed = run_with_kills(seed, end, barrier_alignment::at_least_once);
    CHECK(committed.size() >= static_cast<std::size_t>(end));
    std::array<std::int64_t, 10> greatest{};  // count of each key
    for (const auto row : committed) {
      auto& its = greatest[static_cast<std::size_t>(row % 100)];
      its = std::max(its, row / 100);
    }
    CHECK(*std::min_element(greatest.begin(), greatest.end()) >= end / 10);
    counted_twice += committed != counting_job::expected(end);
  }
  CHECK(counted_twice > 0);
}

TEST_CASE("a pipeline that stops with a savepoint goes on from there as if nothing had been") {
  constexpr std::int64_t end = 600;
  int given_up = 0, half_way = 0;
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    counting_job job(end, 1 + static_cast<std::uint32_t>(random() % 3));
    memory_files files;
    pipeline_settings settings;
    settings.tasks.is_checkpointed = true;
    settings.tasks.snapshot_slice_bytes = slice_bytes_of(seed);
    settings.checkpoints_permille = 1 + static_cast<int>(random() % 20);
    settings.channel_bytes = 256;
    settings.seed = seed;
    local_pipeline first(job.make.build(), job.make.program, files, settings);
    if (first.run_some(random() % 800)) continue;
    first.stop();
    if (seed % 2 == 0 && !first.run_some(random() % 60)) {
      given_up += first.give_up_stop();
      if (first.run_some(random() % 200)) continue;
      first.stop();
    }
    first.run();
    const auto committed = job.committed->all().size();
    half_way += committed > 0 && committed < static_cast<std::size_t>(end);
    const auto savepoint = first.last_checkpoint();
    local_pipeline second(job.make.build(), job.make.program, files, settings, &savepoint);
    second.run();
    CHECK(job.committed->all() == counting_job::expected(end));
  }
  CHECK(given_up > 0);
  CHECK(half_way > 5);
}

TEST_CASE("a pipeline that is drained finishes what its sources have emitted") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    counting_job job(100'000, 2);
    memory_files files;
    pipeline_settings settings;
    settings.tasks.is_checkpointed = true;
    settings.checkpoints_permille = 5;
    settings.seed = seed;
    local_pipeline pipeline(job.make.build(), job.make.program, files, settings);
    REQUIRE_FALSE(pipeline.run_some(50 * seed));
    pipeline.drain();
    pipeline.run();
    // Of each source, all up to where it stopped; so the counts of each key have no gaps.
    std::map<std::int64_t, std::int64_t> rows, highest;
    for (const auto n : job.committed->all()) {
      ++rows[n % 10];
      highest[n % 10] = std::max(highest[n % 10], n / 100);
    }
    CHECK(rows == highest);
    CHECK(job.committed->all().size() < 100'000);
  }
}

TEST_CASE("a checkpointed pipeline that is not killed takes checkpoints to its end") {
  counting_job job(3000, 2);
  memory_files files;
  pipeline_settings settings;
  settings.tasks.is_checkpointed = true;
  settings.checkpoints_permille = 20;
  local_pipeline pipeline(job.make.build(), job.make.program, files, settings);
  pipeline.run();
  CHECK(pipeline.checkpoints_completed() > 2);
  CHECK(job.committed->all() == counting_job::expected(3000));
}

}  // namespace recovery_test
