#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"
#include "support/time_probe.hpp"

namespace process_test {

using namespace millrace;
using test::local_runner;
using test::pipeline_settings;

namespace {

struct event {
  std::int64_t at = 0;
  std::int64_t key = 0;
  std::int64_t value = 0;
  auto operator<=>(const event&) const = default;
};

struct rate {
  std::int64_t key = 0;
  double factor = 1;
  auto operator<=>(const rate&) const = default;
};

constexpr std::uint64_t seeds = 10;

stream_environment make_env(std::uint64_t seed) {
  pipeline_settings settings;
  settings.seed = seed;
  return stream_environment({}, std::make_shared<local_runner>(settings));
}

/// Up to 15 ms out of order, over a dozen keys.
event event_at(std::uint64_t index) {
  const auto i = static_cast<std::int64_t>(index);
  return {1000 + i / 16 * 16 + i * 11 % 16, i * 7 % 12, i};
}

/// Gives events their timestamps, and says after each batch how far event time is.
class stamper final : public producing<event> {
 public:
  void process(std::size_t, batch& rows, rows_access) override {
    for (const auto& e : rows_of<event>(rows)) {
      latest_ = std::max(latest_, e.at);
      this->out_.emit(e, e.at);
    }
    this->out_.flush();
    forwarded().push_watermark(latest_ - 16);
  }

 private:
  timestamp_ms latest_ = 0;
};

auto timed(stream_environment& env, generator_options how) {
  const auto make = [] { return std::make_unique<stamper>(); };
  return test::detail::opened_stream<event>(env.from_generator(event_at, how))
      .template transform<event>("stamp", make_factory<event, event>(make));
}

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

/// Collects what a second sink of a job gets.
template <class T>
struct collected {
  std::shared_ptr<std::vector<T>> rows = std::make_shared<std::vector<T>>();
  void operator()(const T& row) { rows->push_back(row); }
};

const output_tag<event> odd("odd");
const output_tag<std::string> texts("texts");

void split(const event& e, process_context& now, collector<event>& out) {
  if (e.value % 5 == 0) now.output(texts, std::to_string(e.value));
  if (e.value % 2 != 0)
    now.output(odd, e);
  else
    out.emit(e);
}

/// Sums per key over tumbling spans of event time, by timers.
class tumbling_sum : public keyed_process_function<std::int64_t, event, event> {
 public:
  static constexpr std::int64_t span = 50;
  static std::int64_t end_of(std::int64_t at) { return (at / span + 1) * span; }

  void open(keyed_runtime_context<std::int64_t>& context) override {
    sums_ = context.get_map_state(map_state_descriptor<std::int64_t, std::int64_t>("sums"));
  }
  void process_element(const event& e, keyed_process_context<std::int64_t>& now,
                       collector<event>&) override {
    CHECK(now.current_key() == e.key);
    CHECK(now.timestamp() == e.at);
    sums_.get_or_default(end_of(e.at)) += e.value;
    now.timer_service().register_event_time_timer(end_of(e.at) - 1);
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now,
                collector<event>& out) override {
    CHECK(now.current_watermark() >= at);
    const auto* sum = sums_.get(at + 1);
    REQUIRE(sum != nullptr);
    out.emit({at + 1, now.current_key(), *sum});
    sums_.remove(at + 1);
  }

 private:
  map_state<std::int64_t, std::int64_t> sums_;
};

/// Registers timers over and over; those of even timestamps are deleted again.
class many_timers : public keyed_process_function<std::int64_t, event, event> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    start_ = context.get_state(value_state_descriptor<timestamp_ms>("start"));
  }
  void process_element(const event&, keyed_process_context<std::int64_t>& now,
                       collector<event>&) override {
    auto timers = now.timer_service();
    if (!start_.has_value()) start_.update(timers.current_processing_time());
    if (timers.current_processing_time() > start_.value() + 1000) return;
    for (const std::int64_t after : {1501, 1502}) {
      timers.register_event_time_timer(1'000'000 + after);
      timers.register_processing_time_timer(start_.value() + after);
    }
    timers.delete_event_time_timer(1'001'502);
    timers.delete_processing_time_timer(start_.value() + 1502);
    timers.delete_event_time_timer(77);  // there is none
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now,
                collector<event>& out) override {
    const bool by_event_time = now.time_domain() == time_domain::event_time;
    CHECK(now.timestamp() == at);
    CHECK((by_event_time ? now.current_watermark() : now.current_processing_time()) >= at);
    out.emit({by_event_time ? at : at - start_.value(), now.current_key(), by_event_time});
  }

 private:
  value_state<timestamp_ms> start_;
};

struct count_per_key : rich_function {
  value_state<std::int64_t> count;
  void open(keyed_runtime_context<std::int64_t>& context) {
    count = context.get_state(value_state_descriptor<std::int64_t>("count"));
  }
  event operator()(const event& e) { return {e.at, e.key, ++count.get_or_default()}; }
};

/// Keeps events until their key's rate is known.
class converted : public keyed_co_process_function<std::int64_t, event, rate, event> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    factor_ = context.get_state(value_state_descriptor<double>("factor"));
    waiting_ = context.get_list_state(list_state_descriptor<event>("waiting"));
  }
  void process_element1(const event& e, keyed_process_context<std::int64_t>&,
                        collector<event>& out) override {
    if (const auto* factor = factor_.find())
      out.emit(with(e, *factor));
    else
      waiting_.add(e);
  }
  void process_element2(const rate& r, keyed_process_context<std::int64_t>&,
                        collector<event>& out) override {
    factor_.update(r.factor);
    for (const auto& e : waiting_.get()) out.emit(with(e, r.factor));
    waiting_.clear();
  }

  static event with(event e, double factor) {
    e.value = static_cast<std::int64_t>(static_cast<double>(e.value) * factor);
    return e;
  }

 private:
  value_state<double> factor_;
  list_state<event> waiting_;
};

/// Counts the records of both streams per key.
struct counting {
  value_state<std::int64_t> count;

  void open(keyed_runtime_context<std::int64_t>& context) {
    count = context.get_state(value_state_descriptor<std::int64_t>("count"));
  }
  event map1(const event& e) { return {e.at, e.key, ++count.get_or_default()}; }
  event map2(const rate& r) { return {0, r.key, ++count.get_or_default()}; }
  void flat_map1(const event& e, collector<event>& out) { out.emit(map1(e)); }
  void flat_map2(const rate& r, collector<event>& out) { out.emit(map2(r)); }
};

const map_state_descriptor<std::int64_t, double> rates_by_key("rates");

/// As `converted`, with all rates in every subtask.
class converted_by_broadcast
    : public keyed_broadcast_process_function<std::int64_t, event, rate, event> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    waiting_ = context.get_list_state(waiting);
  }
  void process_element(const event& e, keyed_broadcast_read_only_context<std::int64_t>& now,
                       collector<event>& out) override {
    if (const auto* factor = now.get_broadcast_state(rates_by_key).get(e.key))
      out.emit(converted::with(e, *factor));
    else
      waiting_.add(e);
  }
  void process_broadcast_element(const rate& r, keyed_broadcast_context<std::int64_t>& now,
                                 collector<event>& out) override {
    now.get_broadcast_state(rates_by_key).put(r.key, r.factor);
    now.apply_to_keyed_state(waiting, [&](std::int64_t key, const list_state<event>& events) {
      if (key != r.key) return;
      for (const auto& e : events.get()) out.emit(converted::with(e, r.factor));
      events.clear();
    });
  }

 private:
  inline static const list_state_descriptor<event> waiting{"waiting"};
  list_state<event> waiting_;
};

}  // namespace

TEST_CASE("a stream is split by side outputs, chained or not") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    if (seed % 3 == 0) env.disable_operator_chaining();
    const auto parts = env.from_generator(event_at, 500).process(split);
    collected<event> odds;
    collected<std::string> numbers;
    parts.side_output(odd).map([](const event& e) { return e; }).add_sink(odds);
    const auto side = parts.side_output(texts);
    (seed % 2 == 0 ? side.rebalance() : side).add_sink(numbers);
    const auto evens = parts.execute_and_collect();
    CHECK(evens.size() == 250);
    CHECK(odds.rows->size() == 250);
    CHECK(numbers.rows->size() == 100);
    CHECK(std::all_of(evens.begin(), evens.end(), [](const event& e) { return e.value % 2 == 0; }));
    CHECK(std::set<event>(odds.rows->begin(), odds.rows->end()).size() == 250);
  }
}

TEST_CASE("side outputs carry timestamps, watermarks and the end of time") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    if (seed % 3 == 0) env.disable_operator_chaining();
    const auto log = std::make_shared<test::time_log>();
    const auto side = timed(env, {.count = 1000}).process(split).side_output(odd);
    const auto got =
        test::probed(seed % 2 == 0 ? side.rebalance() : side, log).execute_and_collect();
    CHECK(got.size() == 500);
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
    CHECK(log->watermarks > 5);
    CHECK(log->ends == 1 + seed % 4);
  }
}

TEST_CASE("a side output and the main output meet again in a union") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 3);
    const auto parts = env.from_generator(event_at, 300).process(split);
    const auto all = parts.union_with(parts.side_output(odd)).execute_and_collect();
    CHECK(std::set<event>(all.begin(), all.end()).size() == 300);
  }
}

TEST_CASE("one tag read as two types is refused, and so is one emitted as another type") {
  auto env = make_env(1);
  const auto parts = env.from_generator(event_at, 10).name("events").process(split).name("split");
  parts.side_output(output_tag<std::int64_t>("odd")).discard();
  SUBCASE("read twice") {
    parts.side_output(odd).discard();
    CHECK_THROWS_WITH_AS(
        env.execute(),
        "side output 'odd' of operator 'split' is read as i64 and as {i64,i64,i64}; give each type "
        "a tag of its own",
        failure);
  }
  SUBCASE("emitted otherwise") {
    std::string message;
    try {
      env.execute();
    } catch (const std::exception& e) {
      message = e.what();
    }
    CHECK(message.find("'split'") != std::string::npos);
    CHECK(
        message.find("side output 'odd' is given records of type {i64,i64,i64}, but the job reads "
                     "it as i64") != std::string::npos);
  }
}

TEST_CASE("a process function with timers agrees with a loop over the records") {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> sums;
  for (std::uint64_t i = 0; i < 1500; ++i) {
    const auto e = event_at(i);
    sums[{e.key, tumbling_sum::end_of(e.at)}] += e.value;
  }
  std::vector<event> expected;
  for (const auto& [who, sum] : sums) expected.push_back({who.second, who.first, sum});
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    const auto log = std::make_shared<test::time_log>();
    const auto sums_by_key =
        timed(env, {.count = 1500}).key_by(&event::key).process(tumbling_sum{});
    CHECK(sorted(test::probed(sums_by_key, log).execute_and_collect()) == sorted(expected));
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
  }
}

TEST_CASE("there is one timer per key, timestamp and kind of time, until it is deleted") {
  constexpr std::size_t keys = 12;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    std::map<event, std::int64_t> fired;
    for (const auto& e : timed(env, {.count = 300, .per_second = 100})
                             .key_by(&event::key)
                             .process(many_timers{})
                             .execute_and_collect())
      ++fired[e];
    // Of each key one timer of either kind, though many records have registered both.
    CHECK(fired.size() == 2 * keys);
    CHECK(std::all_of(fired.begin(), fired.end(), [](const auto& f) { return f.second == 1; }));
  }
}

TEST_CASE("a map with keyed state counts per key") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    std::map<std::int64_t, std::int64_t> counts;
    for (const auto& e : env.from_generator(event_at, 600)
                             .key_by(&event::key)
                             .map(count_per_key{})
                             .execute_and_collect())
      counts[e.key] = std::max(counts[e.key], e.value);
    CHECK(counts.size() == 12);
    CHECK(std::all_of(counts.begin(), counts.end(), [](auto& c) { return c.second == 50; }));
  }
}

TEST_CASE("connected keyed streams join whatever comes first") {
  std::vector<event> expected;
  for (std::uint64_t i = 0; i < 600; ++i)
    expected.push_back(converted::with(event_at(i), 1.0 + event_at(i).key));
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    const auto events = env.from_generator(event_at, 600);
    const auto rates = env.from_generator(
        [](std::uint64_t i) {
          return rate{static_cast<std::int64_t>(i), 1.0 + static_cast<double>(i)};
        },
        12);
    const auto both = events.connect(rates).key_by(&event::key, &rate::key);
    CHECK(sorted(both.process(converted{}).execute_and_collect()) == sorted(expected));
  }
}

TEST_CASE("co-map and co-flat-map make one stream of two") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 3);
    const auto numbers = env.from_sequence(1, 100);
    const auto words = env.from_elements("a", "bb", "ccc");
    const auto both = numbers.connect(words);
    collected<std::int64_t> flat;
    both.flat_map([](const std::int64_t& n, collector<std::int64_t>& out) { out.emit(n); },
                  [](const std::string& w, collector<std::int64_t>& out) {
                    for (std::size_t i = 0; i < w.size(); ++i) out.emit(-1);
                  })
        .add_sink(flat);
    auto sizes = both.map([](const std::int64_t& n) { return n; },
                          [](const std::string& w) { return std::int64_t(w.size()) + 1000; })
                     .execute_and_collect();
    CHECK(sizes.size() == 103);
    CHECK(std::count_if(sizes.begin(), sizes.end(), [](auto n) { return n > 1000; }) == 3);
    CHECK(flat.rows->size() == 106);
  }
}

TEST_CASE("connected keyed streams are mapped with one state per key") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    const auto events = env.from_generator(event_at, 240);
    const auto rates = env.from_generator(
        [](std::uint64_t i) {
          return rate{static_cast<std::int64_t>(i % 12), 1.0};
        },
        120);
    const auto both = events.connect(rates).key_by(&event::key, &rate::key);
    collected<event> flat, pairs;
    both.flat_map(counting{}).add_sink(flat);
    both.map(count_per_key{}, [](const rate& r) { return event{0, r.key, -1}; }).add_sink(pairs);
    std::map<std::int64_t, std::set<std::int64_t>> counts;
    for (const auto& e : both.map(counting{}).execute_and_collect()) counts[e.key].insert(e.value);
    CHECK(counts.size() == 12);
    for (const auto& [key, of_key] : counts) {
      CHECK(of_key.size() == 30);
      CHECK(*of_key.rbegin() == 30);
    }
    CHECK(sorted(*flat.rows).size() == 360);
    const auto& mapped = *pairs.rows;
    CHECK(std::count_if(mapped.begin(), mapped.end(), [](auto& e) { return e.value == 20; }) == 12);
    CHECK(std::count_if(mapped.begin(), mapped.end(), [](auto& e) { return e.value < 0; }) == 120);
  }
}

TEST_CASE("records wait in keyed state for what is broadcast") {
  std::vector<event> expected;
  for (std::uint64_t i = 0; i < 600; ++i)
    expected.push_back(converted::with(event_at(i), 1.0 + event_at(i).key));
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    if (seed % 3 == 0) env.disable_operator_chaining();
    const auto rates = env.from_generator(
        [](std::uint64_t i) {
          return rate{static_cast<std::int64_t>(i), 1.0 + static_cast<double>(i)};
        },
        12);
    const auto got = env.from_generator(event_at, 600)
                         .key_by(&event::key)
                         .connect(rates.broadcast(rates_by_key))
                         .process(converted_by_broadcast{})
                         .execute_and_collect();
    CHECK(sorted(got) == sorted(expected));
  }
}

TEST_CASE("every subtask gets what is broadcast beside a stream without keys") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    const auto parallelism = static_cast<std::uint32_t>(1 + seed % 4);
    auto env = make_env(seed);
    env.set_parallelism(parallelism);
    const auto events = env.from_generator(event_at, 100);
    const auto rates = env.from_elements(rate{1, 0.5}, rate{2, 1.5});
    // Answers each rate with the number of rates it knows.
    struct known : broadcast_process_function<event, rate, std::int64_t> {
      void process_element(const event&, broadcast_read_only_context& now,
                           collector<std::int64_t>& out) override {
        CHECK(now.get_broadcast_state(rates_by_key).entries().size() <= 2);
        out.emit(0);
      }
      void process_broadcast_element(const rate& r, broadcast_context& now,
                                     collector<std::int64_t>& out) override {
        const auto state = now.get_broadcast_state(rates_by_key);
        state.put(r.key, r.factor);
        out.emit(static_cast<std::int64_t>(state.entries().size()));
      }
    };
    const auto got =
        events.connect(rates.broadcast(rates_by_key)).process(known{}).execute_and_collect();
    for (const std::int64_t n : {0, 1, 2})
      CHECK(std::count(got.begin(), got.end(), n) == (n == 0 ? 100 : parallelism));
  }
}

TEST_CASE("streams of two environments can't be connected") {
  auto one = make_env(1);
  auto other = make_env(2);
  CHECK_THROWS_WITH_AS(one.from_sequence(1, 2).connect(other.from_sequence(1, 2)),
                       "streams of two environments can't be connected: describe a job with one "
                       "stream_environment",
                       failure);
}

}  // namespace process_test
