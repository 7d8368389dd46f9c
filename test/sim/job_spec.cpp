#include "sim/job_spec.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "millrace/millrace.hpp"
#include "sim/asking_source.hpp"
#include "sim/staged_source.hpp"
#include "support/captured_job.hpp"

namespace millrace::sim {

const std::vector<std::string_view> job_shapes = {"map_chain", "keyed_count", "union", "broadcast",
                                                  "rebalance", "two_inputs",  "files", "windows",
                                                  "joins",     "loops",       "any"};

namespace {

constexpr std::size_t rows_max = 4000;

std::string_view name_of(step_kind kind) {
  switch (kind) {
    case step_kind::map:
      return "map";
    case step_kind::filter:
      return "filter";
    case step_kind::flat_map:
      return "flat_map";
    case step_kind::rekey:
      return "rekey";
    case step_kind::keyed_count:
      return "keyed_count";
    case step_kind::loop:
      return "loop";
    case step_kind::kept_count:
      return "kept_count";
    case step_kind::rebalance:
      return "rebalance";
    case step_kind::rescale:
      return "rescale";
    case step_kind::shuffle:
      return "shuffle";
    case step_kind::broadcast:
      return "broadcast";
  }
  return "?";
}

bool is_exchange(step_kind kind) {
  return kind >= step_kind::rebalance;
}

row source_row(std::uint64_t index, std::int64_t keys) {
  const auto i = static_cast<std::int64_t>(index);
  return {(i * 7 + i / 3) % keys, i};
}

row rekeyed(const row& r, std::int64_t keys) {
  return {(r.key * 31 + r.value * 7) % keys, r.value};
}

/// What a row becomes by going around a loop once: one row or two, of other keys.
template <class Emit>
void one_trip(const row& r, Emit&& emit) {
  emit(row{(r.key * 31 + r.value * 7) % 41, r.value + 1});
  if (r.value % 11 == 0) emit(row{(r.key + 5) % 41, r.value + 1});
}

// -- sequential -----------------------------------------------------------------------------------

std::vector<timed_row> interpret(const std::vector<job_step>& steps, std::vector<timed_row> rows,
                                 bool batch) {
  std::uint64_t copies = 1;  // a broadcast multiplies by the parallelism of what follows
  for (const auto& step : steps) {
    if (is_exchange(step.kind)) {
      if (step.kind == step_kind::broadcast) copies = step.parallelism;
      continue;
    }
    std::vector<timed_row> out;
    std::map<std::int64_t, std::int64_t> counts;
    for (std::uint64_t copy = 0; copy < copies; ++copy)
      for (const auto& [r, at] : rows) switch (step.kind) {
          case step_kind::map:
            out.push_back({{r.key, r.value + step.argument}, at});
            break;
          case step_kind::filter:
            if (r.value % step.argument != 0) out.push_back({r, at});
            break;
          case step_kind::flat_map:
            for (std::int64_t i = 0; i < step.argument; ++i)
              out.push_back({{r.key, r.value + i}, at});
            break;
          case step_kind::rekey:
            out.push_back({rekeyed(r, step.argument), at});
            break;
          case step_kind::loop:
            for (std::vector<row> around{r}; !around.empty();) {
              const auto next = around.back();
              around.pop_back();
              one_trip(next, [&, at = at](const row& made) {
                if (made.value % step.argument == 0)
                  out.push_back({made, at});
                else
                  around.push_back(made);
              });
            }
            break;
          default:
            ++counts[r.key];
            if (!batch) out.push_back({{r.key, counts[r.key]}, at});
        }
    if (batch)
      for (const auto& [key, count] : counts) out.push_back({{key, count}, 0});
    rows = std::move(out);
    copies = 1;
  }
  return rows;
}

// -- DataStream API -------------------------------------------------------------------------------

std::string text_of(const row& r) {
  return std::to_string(r.key) + ' ' + std::to_string(r.value);
}

row parse_row(const std::string& line) {
  row r;
  std::istringstream(line) >> r.key >> r.value;
  return r;
}

/// How many rows the key had so far.
class kept_count {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) {
    count_ = context.get_state(value_state_descriptor<std::int64_t>("count"));
  }
  void process_element(const row& r, keyed_process_context<std::int64_t>&, collector<row>& out) {
    out.emit({r.key, ++count_.get_or_default()});
  }

 private:
  value_state<std::int64_t> count_;
};

data_stream<row> extend(data_stream<row> stream, const std::vector<job_step>& steps) {
  for (const auto& step : steps) {
    const auto argument = step.argument;
    const auto p = step.parallelism;
    switch (step.kind) {
      case step_kind::map:
        stream = stream.map([argument](const row& r) {
                         return row{r.key, r.value + argument};
                       })
                     .set_parallelism(p);
        break;
      case step_kind::filter:
        stream = stream.filter([argument](const row& r) { return r.value % argument != 0; })
                     .set_parallelism(p);
        break;
      case step_kind::flat_map:
        stream = stream
                     .flat_map([argument](const row& r, collector<row>& out) {
                       for (std::int64_t i = 0; i < argument; ++i) out.emit({r.key, r.value + i});
                     })
                     .set_parallelism(p);
        break;
      case step_kind::rekey:
        stream = stream.map([argument](const row& r) { return rekeyed(r, argument); })
                     .set_parallelism(p);
        break;
      case step_kind::keyed_count:
        stream = stream.map([](const row& r) {
                         return row{r.key, 1};
                       })
                     .set_parallelism(p)
                     .key_by(&row::key)
                     .sum(&row::value)
                     .set_parallelism(p);
        break;
      case step_kind::loop: {
        const auto loop =
            stream.iterate().set_parallelism(1 + static_cast<std::uint32_t>(argument) % p);
        const auto body = loop.key_by(&row::key)
                              .flat_map([](const row& r, collector<row>& out) {
                                one_trip(r, [&](const row& made) { out.emit(made); });
                              })
                              .set_parallelism(p);
        loop.close_with(body.filter([argument](const row& r) { return r.value % argument != 0; })
                            .set_parallelism(p));
        stream = body.filter([argument](const row& r) { return r.value % argument == 0; })
                     .set_parallelism(p);
        break;
      }
      case step_kind::kept_count:
        stream = stream.key_by(&row::key).process(kept_count()).set_parallelism(p);
        break;
      case step_kind::rebalance:
        stream = stream.rebalance();
        break;
      case step_kind::rescale:
        stream = stream.rescale();
        break;
      case step_kind::shuffle:
        stream = stream.shuffle();
        break;
      case step_kind::broadcast:
        stream = stream.broadcast();
        break;
    }
  }
  return stream;
}

/// A watermark behind every seventh row.
struct punctuation {
  void on_event(const row&, timestamp_ms timestamp, watermark_output& out) {
    if (++rows % 7 == 0) out.emit_watermark(timestamp - 1);
  }
  void on_periodic_emit(watermark_output&) {}

  int rows = 0;
};

data_stream<row> with_event_time(const data_stream<row>& stream, const job_branch& branch,
                                 bool is_aligned, bool is_idle_at_first) {
  using strategy = watermark_strategy<row>;
  if (branch.time == time_kind::none) return stream;
  // What a reader of a file gets one after the other need not be in order.
  const std::chrono::milliseconds disorder(branch.from_file ? branch.rows : 0);
  auto how = branch.time == time_kind::punctuated && !branch.from_file
                 ? strategy::for_generator(punctuation{})
                 : strategy::for_bounded_out_of_orderness(disorder);
  if (is_aligned)
    how = how.with_watermark_alignment("all", std::chrono::milliseconds(20),
                                       std::chrono::milliseconds(50));
  if (is_idle_at_first) how = how.with_idleness(std::chrono::milliseconds(300));
  return stream.assign_timestamps_and_watermarks(how.with_timestamp_assigner(&row::value))
      .set_parallelism(branch.parallelism);
}

/// Passes rows on, and fails the job at a late one: watermarks must not overtake rows anywhere.
/// Tells how far event time is.
class punctuality_check final : public producing<row> {
 public:
  explicit punctuality_check(std::shared_ptr<reached_time> reached)
      : reached_(std::move(reached)) {}

  void process(std::size_t, batch& rows, rows_access access) override {
    const auto& typed = static_cast<typed_batch<row>&>(rows);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (typed.timestamp_of(i) != no_timestamp && typed.timestamp_of(i) <= watermark_)
        throw failure(errc::internal, "a row of time " + std::to_string(typed.timestamp_of(i)) +
                                          " came behind the watermark " +
                                          std::to_string(watermark_));
    out_.target().push(rows, access);
  }
  void on_watermark(timestamp_ms at) override {
    if (at <= watermark_) throw failure(errc::internal, "a watermark went back");
    watermark_ = at;
    reached_->at = std::max(reached_->at, at);
    producing<row>::on_watermark(at);
  }

 private:
  std::shared_ptr<reached_time> reached_;
  timestamp_ms watermark_ = no_timestamp;
};

/// Takes its time for each batch, and nothing else meanwhile: back pressure.
class slow_operator final : public producing<row> {
 public:
  explicit slow_operator(std::chrono::microseconds time) : time_(time) {}

  void open(operator_context& context) override { context_ = &context; }
  void process(std::size_t, batch& rows, rows_access access) override {
    out_.target().push(rows, access);
    ready_at_ = context_->time().now() + time_;
    is_busy_ = true;
    context_->wake_at(ready_at_);
  }
  void on_processing_time(timestamp_ms) override {
    is_busy_ = context_->time().now() < ready_at_;
    if (is_busy_) context_->wake_at(ready_at_);
  }
  bool is_busy() const noexcept override { return is_busy_; }
  bool lets_barriers_pass() const noexcept override { return true; }  // barriers need not wait

 private:
  std::chrono::microseconds time_;
  operator_context* context_ = nullptr;
  std::chrono::steady_clock::time_point ready_at_{};
  bool is_busy_ = false;
};

/// Opens the way to operators that the API has no verb for.
struct opened_stream : data_stream<row> {
  explicit opened_stream(const data_stream<row>& stream) : data_stream<row>(stream) {}
  using data_stream<row>::transform;
};

/// If some branches have it: a union with rows that have no timestamps is nothing special.
bool has_event_time(const job_spec& spec) {
  return std::any_of(spec.branches.begin(), spec.branches.end(),
                     [](const auto& b) { return b.time != time_kind::none; });
}

data_stream<row> checked(const data_stream<row>& stream, std::uint32_t parallelism,
                         const std::shared_ptr<reached_time>& reached) {
  return opened_stream(stream)
      .transform<row>("punctuality", make_factory<row, row>([reached] {
                        return std::make_unique<punctuality_check>(reached);
                      }))
      .set_parallelism(parallelism);
}

data_stream<row> slowed(const data_stream<row>& stream, const job_spec& spec) {
  const std::chrono::microseconds time(spec.slow_us);
  return opened_stream(stream)
      .transform<row>(
          "slow", make_factory<row, row>([time] { return std::make_unique<slow_operator>(time); }))
      .set_parallelism(spec.sink_parallelism);
}

data_stream<row> source_of(stream_environment& env, const job_branch& branch,
                           const std::string& path, test::memory_files& files) {
  const auto keys = branch.keys;
  if (branch.from_file) {
    std::string text;
    for (std::uint64_t i = 0; i < branch.rows; ++i) text += text_of(source_row(i, keys)) + '\n';
    files.put(path, std::move(text));
    // Several splits, so that it is a matter of chance who reads which.
    return env.read_text_file(path, {.split_bytes = 400})
        .set_parallelism(branch.parallelism)
        .map(parse_row)
        .set_parallelism(branch.parallelism);
  }
  if (branch.rows_per_split != 0)
    return env
        .from_source(
            make_asking_source({.make = [keys](std::uint64_t i) { return source_row(i, keys); },
                                .rows = branch.rows,
                                .rows_per_split = branch.rows_per_split,
                                .per_second = branch.per_second}))
        .set_parallelism(branch.parallelism);
  generator_options options;
  options.count = branch.rows;
  if (branch.per_second > 0) options.per_second = branch.per_second;
  return env.from_generator([keys](std::uint64_t i) { return source_row(i, keys); }, options)
      .set_parallelism(branch.parallelism);
}

/// The sources of a job with a latecomer.
data_stream<row> staged_source_of(stream_environment& env, const job_spec& spec,
                                  const job_branch& branch,
                                  const std::shared_ptr<reached_time>& reached) {
  stage_of_rows stage;
  stage.make = [keys = branch.keys](std::uint64_t i) { return source_row(i, keys); };
  stage.first = static_cast<std::uint64_t>(branch.first_value);
  stage.rows = branch.rows;
  // The watermark is right behind the last row; of several readers one may be behind the others.
  const auto last = [](const job_branch& of, std::uint32_t readers) {
    return of.first_value + static_cast<std::int64_t>(of.rows) - readers - 1;
  };
  stage.ends_at = max_watermark;
  for (const auto& b : spec.branches)
    if (&b != &spec.branches.back())
      stage.ends_at = std::min(stage.ends_at, last(b, b.parallelism));
  if (&branch == &spec.branches.back()) {
    stage.is_of_one_reader = true;
    stage.begins_at = std::exchange(stage.ends_at, last(branch, 1));
  }
  return env.from_source(make_staged_source(std::move(stage), reached))
      .set_parallelism(branch.parallelism);
}

// -- random jobs ----------------------------------------------------------------------------------

job_step random_step(std::uint32_t parallelism_max, random_source& random) {
  job_step step;
  step.kind = static_cast<step_kind>(random.below(5));
  step.argument = step.kind == step_kind::flat_map ? random.between(0, 3) : random.between(2, 9);
  step.parallelism = static_cast<std::uint32_t>(random.between(1, parallelism_max));
  return step;
}

void add_random_steps(std::vector<job_step>& steps, std::size_t count,
                      std::uint32_t parallelism_max, random_source& random) {
  for (std::size_t i = 0; i < count; ++i) {
    auto next = random_step(parallelism_max, random);
    if (random.chance(40))
      steps.push_back({static_cast<step_kind>(static_cast<int>(step_kind::rebalance) +
                                              static_cast<int>(random.below(4))),
                       0, next.parallelism});
    steps.push_back(next);
  }
}

/// Steps after which every row's time is still known: counts take theirs from whichever came last.
void add_steps_keeping_time(std::vector<job_step>& steps, std::size_t count,
                            std::uint32_t parallelism_max, random_source& random) {
  add_random_steps(steps, count, parallelism_max, random);
  for (auto& step : steps)
    if (step.kind == step_kind::keyed_count) step = {step_kind::rekey, 7, step.parallelism};
}

/// Adds a branch that comes late to windows over the others.
void add_latecomer(job_spec& spec, std::uint32_t parallelism_max, random_source& random) {
  const bool is_of_one = spec.stage.kind != stage_kind::none && !is_of_two(spec.stage.kind);
  if (!is_of_one || !random.chance(40)) return;
  job_branch late;
  late.rows = 1 + random.below(60);
  late.keys = random.between(1, 40);
  late.parallelism = static_cast<std::uint32_t>(random.between(1, parallelism_max));
  late.first_value = 1000;  // no other has as many rows
  // One way for all that comes of it: of several, one may still count as idle when the watermark of
  // another comes, and what comes on it would be late.
  add_steps_keeping_time(late.steps, random.below(2), 1, random);
  spec.stage.parallelism = 1;
  for (auto& step : spec.steps) step.parallelism = 1;
  spec.branches.push_back(late);
  spec.has_latecomer = true;
  for (auto& branch : spec.branches) {
    branch.from_file = false;
    branch.time = time_kind::periodic;
    // Each reader has a row, or event time would wait for it.
    branch.rows = std::max<std::uint64_t>(branch.rows, branch.parallelism);
  }
}

}  // namespace

job_spec make_checkpointed_spec(std::uint32_t parallelism_max, random_source& random) {
  const auto width = [&] { return static_cast<std::uint32_t>(random.between(1, parallelism_max)); };
  job_spec spec;
  spec.name = "checkpointed";
  spec.is_checkpointed = true;
  spec.chaining = !random.chance(25);
  spec.sink_parallelism = width();
  for (std::int64_t branches = random.between(1, 2); branches > 0; --branches) {
    auto& branch = spec.branches.emplace_back();
    branch.rows = 50 + random.below(400);
    branch.keys = random.between(1, 40);
    branch.parallelism = width();
    // One that ends early, and one that is at work when everything happens.
    branch.from_file = random.chance(20);
    if (!branch.from_file)
      branch.per_second = static_cast<double>(branch.rows) * 1000 /
                          static_cast<double>(random.between(50, random.chance(30) ? 500 : 8000));
  }
  if (random.chance(30)) {
    static constexpr stage_kind stages[] = {stage_kind::tumbling,    stage_kind::sliding,
                                            stage_kind::session,     stage_kind::connect,
                                            stage_kind::window_join, stage_kind::interval_join};
    spec.stage = make_stage(stages[random.below(std::size(stages))], width(), random);
    if (is_of_two(spec.stage.kind) && spec.branches.size() == 1)
      spec.branches.push_back(spec.branches.front());
    for (auto& branch : spec.branches)
      branch.time = random.chance(50) ? time_kind::punctuated : time_kind::periodic;
    spec.is_aligned = random.chance(20);
  }
  for (auto& branch : spec.branches) {
    if (spec.stage.kind == stage_kind::none)
      add_random_steps(branch.steps, random.below(2), parallelism_max, random);
    else
      add_steps_keeping_time(branch.steps, random.below(2), parallelism_max, random);
  }
  if (spec.stage.kind == stage_kind::none) {
    add_random_steps(spec.steps, random.below(3), parallelism_max, random);
    spec.steps.push_back({step_kind::keyed_count, 0, width()});
  }
  spec.to_file = random.chance(40);
  while (interpret(spec).size() > rows_max)
    for (auto& branch : spec.branches) branch.rows /= 2;
  add_latecomer(spec, parallelism_max, random);
  return spec;
}

void keep_counts_as_state(job_spec& spec) {
  const auto change = [](std::vector<job_step>& steps) {
    auto before = step_kind::map;
    for (auto& step : steps) {
      // Keys would take the place of a broadcast that nobody has taken.
      if (step.kind == step_kind::keyed_count && before != step_kind::broadcast)
        step.kind = step_kind::kept_count;
      before = step.kind;
    }
  };
  for (auto& branch : spec.branches) change(branch.steps);
  change(spec.steps);
}

void set_timers_for_windows(job_spec& spec) {
  auto& stage = spec.stage;
  if (stage.kind == stage_kind::none || is_of_two(stage.kind)) return;
  stage.kind = stage_kind::timers;
  stage.is_local = false;
}

void take_exchanges_out(job_spec& spec) {
  if (spec.branches.size() != 1 || spec.stage.kind != stage_kind::none) return;
  const auto width = spec.branches[0].parallelism = spec.sink_parallelism;
  const auto change = [&](std::vector<job_step>& steps) {
    std::erase_if(steps, [](const auto& step) {
      return is_exchange(step.kind) || step.kind == step_kind::keyed_count;
    });
    for (auto& step : steps) step.parallelism = width;
  };
  change(spec.branches[0].steps);
  change(spec.steps);
}

job_spec make_job_spec(std::string_view shape, std::uint32_t parallelism_max,
                       random_source& random) {
  const auto width = [&] { return static_cast<std::uint32_t>(random.between(1, parallelism_max)); };
  job_spec spec;
  spec.name = shape;
  spec.batch = random.chance(30);
  spec.chaining = !random.chance(25);
  spec.sink_parallelism = width();
  const auto add_branch = [&]() -> job_branch& {
    auto& branch = spec.branches.emplace_back();
    branch.rows = 1 + random.below(300);
    branch.keys = random.between(1, 40);
    branch.parallelism = width();
    branch.time = static_cast<time_kind>(random.below(3));
    return branch;
  };
  const auto all = parallelism_max;
  auto& first = add_branch();
  if (shape == "map_chain") {
    first.steps = {{step_kind::map, 3, first.parallelism},
                   {step_kind::filter, 5, first.parallelism},
                   {step_kind::flat_map, 2, first.parallelism}};
    spec.sink_parallelism = first.parallelism;
  } else if (shape == "keyed_count") {
    spec.batch = false;
    spec.chaining = true;
    first.rows = 400;
    first.parallelism = spec.sink_parallelism = all;
    first.steps = {{step_kind::keyed_count, 0, all}};
  } else if (shape == "union") {
    add_branch().steps = {{step_kind::map, 1000, 1}};
    spec.steps = {{step_kind::map, 1, width()}};
  } else if (shape == "broadcast") {
    const auto p = width();
    spec.steps = {{step_kind::broadcast, 0, p}, {step_kind::map, 1, p}};
  } else if (shape == "rebalance") {
    const auto p = width();
    spec.steps = {{step_kind::rebalance, 0, p}, {step_kind::map, 1, p}};
  } else if (shape == "two_inputs") {
    add_branch();
    const auto p = width();
    spec.steps = {
        {step_kind::shuffle, 0, p}, {step_kind::map, 1, p}, {step_kind::keyed_count, 0, p}};
  } else if (shape == "files") {
    first.from_file = true;
    spec.to_file = true;
    spec.steps = {{step_kind::keyed_count, 0, width()}};
  } else if (shape == "windows" || shape == "joins") {
    static constexpr stage_kind windows[] = {stage_kind::tumbling, stage_kind::sliding,
                                             stage_kind::session};
    static constexpr stage_kind joins[] = {stage_kind::connect, stage_kind::window_join,
                                           stage_kind::co_group, stage_kind::interval_join};
    const bool of_two = shape == "joins";
    spec.batch = false;
    if (of_two || random.chance(40)) add_branch();
    for (auto& branch : spec.branches) {
      branch.time = random.chance(50) ? time_kind::punctuated : time_kind::periodic;
      branch.from_file = random.chance(15);
      add_steps_keeping_time(branch.steps, random.below(3), parallelism_max, random);
    }
    spec.stage = make_stage(
        of_two ? joins[random.below(std::size(joins))] : windows[random.below(std::size(windows))],
        width(), random);
    if (random.chance(30)) add_steps_keeping_time(spec.steps, 1, parallelism_max, random);
  } else if (shape == "loops") {
    // No event time: what has gone around is late.
    spec.batch = false;
    if (random.chance(40)) add_branch();
    for (auto& branch : spec.branches) {
      branch.time = time_kind::none;
      branch.from_file = random.chance(15);
      add_random_steps(branch.steps, random.below(2), parallelism_max, random);
    }
    spec.steps = {{step_kind::loop, random.between(2, 12), width()}};
    if (random.chance(30)) spec.steps.push_back({step_kind::loop, random.between(2, 5), width()});
    if (random.chance(30)) spec.steps.push_back({step_kind::keyed_count, 0, width()});
  } else {
    const auto more = random.below(3);
    for (std::uint64_t i = 0; i < more; ++i) add_branch();
    for (auto& branch : spec.branches) {
      branch.from_file = random.chance(15);
      add_random_steps(branch.steps, random.below(3), parallelism_max, random);
    }
    add_random_steps(spec.steps, random.below(4), parallelism_max, random);
    spec.to_file = random.chance(15);
  }
  spec.is_aligned = spec.branches.front().keys % 3 == 0;
  while (interpret(spec).size() > rows_max)
    for (auto& branch : spec.branches) branch.rows /= 2;
  add_latecomer(spec, parallelism_max, random);
  return spec;
}

std::string to_string(const job_spec& spec) {
  std::ostringstream text;
  const auto steps = [&](const std::vector<job_step>& all) {
    for (const auto& s : all) {
      text << ' ' << name_of(s.kind);
      if (!is_exchange(s.kind)) text << '(' << s.argument << ")/" << s.parallelism;
    }
  };
  text << spec.name << (spec.batch ? " batch" : "") << (spec.chaining ? "" : " unchained")
       << (spec.is_aligned ? " aligned" : "") << (spec.has_latecomer ? " latecomer" : "");
  for (const auto& b : spec.branches) {
    text << " [" << (b.from_file ? "file " : "") << b.rows << " rows " << b.keys << " keys";
    if (b.per_second > 0) text << " at " << b.per_second << "/s";
    if (b.rows_per_split != 0) text << " in splits of " << b.rows_per_split;
    if (b.time != time_kind::none)
      text << (b.time == time_kind::periodic ? " periodic" : " punctuated") << " time";
    text << " /" << b.parallelism;
    steps(b.steps);
    text << ']';
  }
  text << to_string(spec.stage);
  steps(spec.steps);
  text << (spec.to_file ? " file" : " sink") << '/' << spec.sink_parallelism;
  if (spec.needs_library) text << " library";
  if (spec.is_checkpointed) text << " checkpointed";
  if (spec.slow_us != 0) text << " slow " << spec.slow_us << " us";
  if (spec.throws_at) text << " throws at " << *spec.throws_at;
  return text.str();
}

std::vector<row> interpret(const job_spec& spec) {
  std::vector<timed_row> timed, last;
  for (const auto& branch : spec.branches) {
    std::vector<timed_row> its;
    for (std::uint64_t i = 0; i < branch.rows; ++i) {
      const auto r = source_row(i + static_cast<std::uint64_t>(branch.first_value), branch.keys);
      its.push_back({r, r.value});
    }
    last = interpret(branch.steps, std::move(its), spec.batch);
    if (is_of_two(spec.stage.kind) && &branch != &spec.branches.front()) break;
    timed.insert(timed.end(), last.begin(), last.end());
  }
  if (spec.stage.kind != stage_kind::none) timed = interpret(spec.stage, timed, last);
  timed = interpret(spec.steps, std::move(timed), spec.batch);
  std::vector<row> rows;
  for (const auto& r : timed) rows.push_back(r.r);
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::uint32_t slots_of(const job_spec& spec) {
  auto slots = std::max(spec.sink_parallelism, spec.stage.parallelism);
  const auto consider = [&](const std::vector<job_step>& steps) {
    for (const auto& s : steps)
      if (!is_exchange(s.kind)) slots = std::max(slots, s.parallelism);
  };
  for (const auto& b : spec.branches) {
    slots = std::max(slots, b.parallelism);
    consider(b.steps);
  }
  consider(spec.steps);
  return slots;
}

namespace {

/// `job` has what outlives the job: its number, and where its rows go.
built_job build(const job_spec& spec, built_job job, test::memory_files& files) {
  const auto runner = std::make_shared<test::captured_job>();
  stream_environment env({}, runner);
  env.set_runtime_mode(spec.batch ? graph::runtime_mode::batch : graph::runtime_mode::streaming);
  if (!spec.chaining) env.disable_operator_chaining();
  env.set_max_parallelism(128);

  const auto suffix = std::to_string(job.number);
  const auto& reached = job.reached;
  std::optional<data_stream<row>> stream, second;
  for (std::size_t b = 0; b < spec.branches.size(); ++b) {
    const auto& branch = spec.branches[b];
    const auto path = "/data/in-" + suffix + "-" + std::to_string(b);
    const auto source = spec.has_latecomer ? staged_source_of(env, spec, branch, reached)
                                           : source_of(env, branch, path, files);
    const bool is_late = spec.has_latecomer && &branch == &spec.branches.back();
    // Aligned it must be in one task with its source: of a file, rows are parsed between the two.
    const bool is_aligned = spec.is_aligned && (spec.chaining || !branch.from_file);
    auto its = with_event_time(source, branch, is_aligned, is_late);
    if (b == 0 && spec.throws_at) {
      its = its.map([at = *spec.throws_at](const row& r) {
                 if (r.value == at)
                   throw std::runtime_error("refused record " + std::to_string(at));
                 return r;
               })
                .set_parallelism(branch.parallelism);
    }
    its = extend(its, branch.steps);
    if (b > 0 && is_of_two(spec.stage.kind))
      second = its;
    else
      stream = stream ? stream->union_with(its) : its;
  }
  auto all = extend(extend(*stream, second ? *second : *stream, spec.stage), spec.steps);
  if (spec.slow_us != 0) all = slowed(all, spec);
  if (has_event_time(spec)) all = checked(all, spec.sink_parallelism, reached);
  if (spec.is_checkpointed && !spec.to_file) {
    if (!job.committed) job.committed = std::make_shared<committed_rows>();
    opened_stream(all)
        .transform<row>("commit", make_transactional_sink(job.committed))
        .set_parallelism(spec.sink_parallelism)
        .discard()
        .set_parallelism(spec.sink_parallelism);
  } else if (spec.to_file) {
    job.output_path = "/data/out-" + suffix;
    all.map(text_of)
        .set_parallelism(spec.sink_parallelism)
        .write_as_text(job.output_path)
        .set_parallelism(spec.sink_parallelism);
  } else {
    job.rows = std::make_shared<std::vector<row>>();
    all.add_sink([rows = job.rows](const row& r) { rows->push_back(r); })
        .set_parallelism(spec.sink_parallelism);
  }
  static_cast<void>(env.execute_async(spec.name + "-" + suffix));
  job.graph = std::move(runner->graph);
  job.program = std::move(runner->program);
  return job;
}

}  // namespace

built_job build_job(const job_spec& spec, std::size_t number, test::memory_files& files) {
  built_job job;
  job.number = number;
  job.reached = std::make_shared<reached_time>();
  return build(spec, std::move(job), files);
}

built_job build_next_job(const job_spec& spec, const built_job& stopped,
                         test::memory_files& files) {
  auto job = build(spec, stopped, files);
  job.graph.name = stopped.graph.name + "+";
  return job;
}

std::vector<row> output_of(const built_job& job, const test::memory_files& files) {
  std::vector<row> rows;
  if (job.rows) rows = *job.rows;
  if (job.committed) rows = job.committed->rows();
  for (const auto& path : files.paths()) {
    const auto is_ours = !job.output_path.empty() &&
                         (path == job.output_path || path.starts_with(job.output_path + "/"));
    if (!is_ours || path.find(".inprogress") != std::string::npos) continue;
    std::istringstream lines(files.content(path));
    for (std::string line; std::getline(lines, line);) rows.push_back(parse_row(line));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace millrace::sim
