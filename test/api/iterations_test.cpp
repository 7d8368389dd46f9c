#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

namespace iterations_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::local_runner;
using test::pipeline_settings;

namespace {

constexpr std::uint64_t seeds = 10;

/// Two numbers of a Fibonacci sequence, where it began, and how far it has come: Flink's example
/// IterateExample.
struct fibonacci_pair {
  std::int64_t first = 0;
  std::int64_t second = 0;
  std::int64_t previous = 0;
  std::int64_t current = 0;
  std::int64_t steps = 0;
  auto operator<=>(const fibonacci_pair&) const = default;
};

/// A number that goes around `trips` times more.
struct traveller {
  std::int64_t id = 0;
  std::int64_t trips = 0;
  auto operator<=>(const traveller&) const = default;
};

/// Node `id` is said to be `distance` away.
struct offer {
  std::int64_t id = 0;
  std::int64_t distance = 0;
  auto operator<=>(const offer&) const = default;
};

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

/// Runs with other parallelisms, credits and orders of events for each seed.
struct world {
  std::uint64_t seed;
  std::shared_ptr<local_runner> runner;
  stream_environment env;

  explicit world(std::uint64_t s, pipeline_settings settings = {})
      : seed(s), runner(make_runner(s, settings)), env({}, runner) {
    env.set_parallelism(static_cast<std::uint32_t>(1 + s % 3));
    if (s % 4 == 3) env.disable_operator_chaining();
  }

  static std::shared_ptr<local_runner> make_runner(std::uint64_t s, pipeline_settings settings) {
    settings.seed = s;
    if (s % 3 == 0) settings.channel_bytes = 300;  // about one row at a time
    if (s % 5 == 0) settings.tasks.spilling.memory_bytes = 4096;
    return std::make_shared<local_runner>(settings);
  }
};

std::vector<traveller> travellers(std::int64_t count, std::int64_t trips_max) {
  std::vector<traveller> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back({i, i * 7 % (trips_max + 1)});
  return all;
}

traveller one_trip(const traveller& t) {
  return {t.id, t.trips - 1};
}
bool goes_on(const traveller& t) {
  return t.trips > 0;
}
bool has_arrived(const traveller& t) {
  return t.trips <= 0;
}

std::string message_of(auto&& call) {
  try {
    call();
  } catch (const failure& e) {
    return e.what_failed().message;
  }
  return "no failure";
}

}  // namespace

TEST_CASE("pairs of numbers go around until their Fibonacci sequence exceeds a bound") {
  constexpr std::int64_t bound = 100;
  std::vector<fibonacci_pair> input, expected;
  for (std::int64_t i = 0; i < 150; ++i) {
    fibonacci_pair p{1 + i * 17 % 49, 1 + i * 29 % 49};
    p.previous = p.first;
    p.current = p.second;
    input.push_back(p);
    do {
      p = {p.first, p.second, p.current, p.previous + p.current, p.steps + 1};
    } while (p.previous < bound || p.current < bound);
    expected.push_back(p);
  }
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto loop = w.env.from_collection(input).iterate();
    const auto step = loop.map([](const fibonacci_pair& p) {
      return fibonacci_pair{p.first, p.second, p.current, p.previous + p.current, p.steps + 1};
    });
    const auto is_small = [](const fibonacci_pair& p) {
      return p.previous < bound || p.current < bound;
    };
    loop.close_with(step.filter(is_small));
    auto out = step.filter([is_small](const fibonacci_pair& p) { return !is_small(p); });
    CHECK(sorted(out.execute_and_collect()) == sorted(expected));
  }
}

TEST_CASE("shortest paths by feedback are those of Bellman and Ford") {
  constexpr std::int64_t nodes = 40;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::multimap<std::int64_t, offer> roads;
    for (int i = 0; i < 110; ++i)
      roads.emplace(random() % nodes, offer{static_cast<std::int64_t>(random() % nodes),
                                            static_cast<std::int64_t>(1 + random() % 20)});
    std::map<std::int64_t, std::int64_t> expected{{0, 0}};
    for (int round = 0; round < nodes; ++round)
      for (const auto& [from, road] : roads)
        if (expected.contains(from)) {
          const auto at = expected[from] + road.distance;
          const auto [known, is_new] = expected.try_emplace(road.id, at);
          known->second = std::min(known->second, at);
        }

    struct relax {
      std::shared_ptr<const std::multimap<std::int64_t, offer>> roads;
      value_state<std::int64_t> best{};
      output_tag<offer> farther{"farther"};

      void open(keyed_runtime_context<std::int64_t>& context) {
        best = context.get_state(value_state_descriptor<std::int64_t>("best"));
      }
      void process_element(const offer& o, keyed_process_context<std::int64_t>& context,
                           collector<offer>& out) {
        if (best.has_value() && best.value() <= o.distance) return;
        best.update(o.distance);
        out.emit(o);
        const auto [first, last] = roads->equal_range(o.id);
        for (auto road = first; road != last; ++road)
          context.output(farther, {road->second.id, o.distance + road->second.distance});
      }
    };
    world w(seed);
    const auto loop = w.env.from_collection(std::vector<offer>{{0, 0}}).iterate();
    const auto body =
        loop.key_by(&offer::id)
            .process(relax{std::make_shared<const std::multimap<std::int64_t, offer>>(roads)});
    loop.close_with(body.side_output(output_tag<offer>("farther")));
    std::map<std::int64_t, std::int64_t> best;
    for (const auto& o : body.execute_and_collect()) {
      const auto [known, is_new] = best.try_emplace(o.id, o.distance);
      known->second = std::min(known->second, o.distance);
    }
    CHECK(best == expected);
  }
}

TEST_CASE("a record may go around very often") {
  world w(1);
  const auto loop = w.env.from_collection(std::vector<traveller>{{1, 3'000}}).iterate();
  const auto body = loop.map(one_trip);
  loop.close_with(body.filter(goes_on));
  CHECK(body.filter(has_arrived).execute_and_collect() == std::vector<traveller>{{1, 0}});
}

TEST_CASE("records come back from two tails, through a union and by key") {
  const auto input = travellers(200, 12);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto loop = w.env.from_collection(input).iterate().name("tour");
    const auto odd = loop.filter([](const traveller& t) { return t.trips % 2 != 0; }).map(one_trip);
    const auto even = loop.filter([](const traveller& t) { return t.trips % 2 == 0; })
                          .rebalance()
                          .map(one_trip)
                          .set_parallelism(static_cast<std::uint32_t>(1 + seed % 2));
    const auto both = odd.union_with(even);
    const auto by_key =
        both.key_by(&traveller::id).reduce([](const traveller&, const traveller& b) { return b; });
    loop.close_with(odd.filter(goes_on).union_with(
        by_key.filter([](const traveller& t) { return t.trips > 0 && t.trips % 2 != 0; })));
    std::map<std::int64_t, std::int64_t> arrivals;
    for (const auto& t : by_key.filter(has_arrived).execute_and_collect()) ++arrivals[t.id];
    CHECK(arrivals.size() == input.size());
  }
}

TEST_CASE("what a body multiplies all comes out") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto loop = w.env.from_collection(std::vector<traveller>{{0, 9}, {1, 9}}).iterate();
    const auto body = loop.flat_map([](const traveller& t, collector<traveller>& out) {
      out.emit({t.id * 2, t.trips - 1});
      out.emit({t.id * 2 + 1, t.trips - 1});
    });
    loop.close_with(body.rebalance().filter(goes_on));
    auto leaves = sorted(body.filter(has_arrived).execute_and_collect());
    REQUIRE(leaves.size() == 1024);
    for (std::int64_t i = 0; i < 1024; ++i) CHECK(leaves[static_cast<std::size_t>(i)].id == i);
  }
}

TEST_CASE("a loop ends although nothing came in, nothing goes around or nothing leaves it") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    for (const std::int64_t trips : {0, 5}) {
      for (const std::int64_t count : {0, 50}) {
        world w(seed);
        const auto loop = w.env.from_collection(travellers(count, trips)).iterate();
        const auto body = loop.map(one_trip);
        loop.close_with(body.filter(goes_on));
        CHECK(body.filter(has_arrived).execute_and_collect().size() ==
              static_cast<std::size_t>(count));
      }
    }
    world w(seed);
    const auto loop = w.env.from_collection(travellers(50, 5)).iterate();
    loop.close_with(loop.map(one_trip).filter(goes_on));
    w.env.from_collection(std::vector<int>{1}).discard();
    w.env.execute();
  }
}

TEST_CASE("feedback of another type is a stream beside the one that came in") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto loop = w.env.from_collection(travellers(100, 6)).iterate_with<std::int64_t>();
    // A number n comes back as n - 1 until it is 0.
    const auto counted = loop.map([](const traveller& t) { return t.trips; },
                                  [](std::int64_t left) { return left - 1; });
    loop.close_with(counted.filter([](std::int64_t n) { return n > 0; }));
    std::int64_t expected = 0;
    for (const auto& t : travellers(100, 6)) expected += t.trips + 1;
    CHECK(counted.execute_and_collect().size() + 0 == static_cast<std::size_t>(expected));
  }
}

TEST_CASE("feedback of the same type can be a stream of its own, and by key") {
  world w(2);
  const auto loop = w.env.from_collection(travellers(60, 4)).iterate_with<traveller>();
  const auto body = loop.key_by(&traveller::id, &traveller::id)
                        .map([](const traveller& t) { return t; }, one_trip);
  loop.close_with(body.filter(goes_on));
  CHECK(body.filter(has_arrived).execute_and_collect().size() == 60);
}

TEST_CASE("a loop waits for what is asked elsewhere") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto loop = w.env.from_collection(travellers(40, 5)).iterate();
    const auto body = loop.async_map_unordered(one_trip, {.capacity = 3});
    loop.close_with(body.filter(goes_on));
    CHECK(body.filter(has_arrived).execute_and_collect().size() == 40);
  }
}

TEST_CASE("loops can follow each other, and feed what is connected from outside") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto first = w.env.from_collection(travellers(80, 5)).iterate();
    const auto once = first.map(one_trip);
    first.close_with(once.filter(goes_on));
    const auto again = once.filter(has_arrived).map([](const traveller& t) {
      return traveller{t.id, t.id % 4};
    });
    const auto others = w.env.from_collection(travellers(30, 3));
    const auto second = again.iterate();
    const auto twice = second.connect(others).map(one_trip, one_trip);
    second.close_with(twice.filter(goes_on));
    CHECK(twice.filter(has_arrived).execute_and_collect().size() == 110);
  }
}

TEST_CASE("event time ends in a loop when its records are through, and windows fire into it") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto timed =
        w.env.from_collection(travellers(50, 3))
            .assign_timestamps_and_watermarks(
                watermark_strategy<traveller>::for_monotonous_timestamps().with_timestamp_assigner(
                    [](const traveller&) { return 5; }));
    const auto loop = timed.iterate();
    const auto body = loop.map(one_trip);
    // All 50 arrive before the window fires at the end of event time. What it makes goes around,
    // too: too late for a window.
    const auto counts = body.filter([](const traveller& t) { return t.trips == 0 && t.id >= 0; })
                            .map([](const traveller& t) {
                              return traveller{-1, t.id >= 0};
                            })
                            .key_by(&traveller::id)
                            .window(tumbling_event_time_windows::of(10ms))
                            .sum(&traveller::trips);
    loop.close_with(body.filter(goes_on).union_with(counts));
    const auto came_around = body.filter([](const traveller& t) { return t.id == -1; });
    auto seen = came_around.execute_and_collect();
    std::int64_t expected = 0;
    for (const auto& t : travellers(50, 3)) expected += t.trips >= 1;
    REQUIRE(!seen.empty());
    CHECK(*std::max_element(seen.begin(), seen.end()) == traveller{-1, expected - 1});
  }
}

TEST_CASE("timers of processing time in a loop fire while it is busy, and don't keep it") {
  struct again_later {
    void process_element(const traveller& t, keyed_process_context<std::int64_t>& context,
                         collector<traveller>& out) {
      context.timer_service().register_processing_time_timer(context.current_processing_time() + 1);
      out.emit(one_trip(t));
    }
    void on_timer(timestamp_ms, keyed_process_context<std::int64_t>&, collector<traveller>& out) {
      out.emit({-1, 0});
    }
  };
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto loop = w.env.from_collection(travellers(30, 4)).iterate();
    const auto body = loop.key_by(&traveller::id).process<traveller>(again_later{});
    loop.close_with(body.filter([](const traveller& t) { return t.trips > 0; }));
    const auto arrived = body.filter([](const traveller& t) { return t.id >= 0 && t.trips <= 0; });
    CHECK(arrived.execute_and_collect().size() == 30);
  }
}

TEST_CASE("an operator that emits at the end only can't feed a loop that is over") {
  world w(1);
  const auto loop = w.env.from_collection(travellers(30, 4)).iterate();
  const auto window = loop.key_by(&traveller::id)
                          .window(tumbling_processing_time_windows::of(1h))
                          .sum(&traveller::trips);
  loop.close_with(window);
  CHECK(message_of([&] {
          loop.execute_and_collect();
        }).find("after the loop of the iteration had ended") != std::string::npos);
}

TEST_CASE("a loop without end is cancelled once enough has come out of it") {
  world w(2);
  const auto loop = w.env.from_sequence(1, 5).iterate();
  const auto body = loop.map([](std::int64_t n) { return n + 1; });
  loop.close_with(body);
  CHECK(body.execute_and_collect(1000).size() == 1000);
}

TEST_CASE("mistakes in a loop are told when the job is built, by name") {
  const auto fails = [](auto&& describe) {
    world w(1);
    auto input = w.env.from_sequence(1, 5);
    return message_of([&] {
      describe(w, input);
      w.env.execute();
    });
  };
  const auto plus_one = [](std::int64_t n) { return n + 1; };
  CHECK(fails([](world&, auto& in) { in.iterate().name("spin").discard(); }) ==
        "iteration 'spin' is open: nothing is fed back to it; call close_with()");
  CHECK(fails([&](world&, auto& in) {
          const auto loop = in.iterate().name("spin");
          loop.close_with(in.map(plus_one).name("apart"));
          loop.discard();
        })
            .starts_with("operator 'apart' is fed back to iteration 'spin', but its records do not "
                         "come from there"));
  CHECK(fails([&](world&, auto& in) {
          const auto loop = in.iterate().name("spin");
          const auto body = loop.map(plus_one);
          loop.close_with(body);
          loop.close_with(body);
        }).starts_with("iteration 'spin' was closed before"));
  CHECK(fails([&](world& w, auto& in) {
          w.env.set_runtime_mode(graph::runtime_mode::batch);
          const auto loop = in.iterate().name("spin");
          loop.close_with(loop.map(plus_one));
          loop.discard();
        }).starts_with("iteration 'spin' can't run in batch mode"));
  CHECK(fails([&](world&, auto& in) {
          const auto outer = in.iterate().name("outer");
          const auto inner = outer.iterate().name("inner");
          const auto body = inner.map(plus_one);
          inner.close_with(body);
          outer.close_with(body);
          body.discard();
        }).starts_with("operator 'inner' is part of two iterations, 'outer' and 'inner'"));
  CHECK(fails([&](world&, auto& in) {
          const auto loop = in.iterate().name("spin").set_parallelism(2);
          const auto body = loop.rebalance().map(plus_one).name("one more").set_parallelism(3);
          loop.close_with(body.forward());
          body.discard();
        }).starts_with("forward from operator 'one more' (parallelism 3) to operator 'spin'"));
  world other(1);
  CHECK(fails([&](world&, auto& in) {
          in.iterate().close_with(other.env.from_sequence(1, 2));
        }).starts_with("a stream of another environment can't be fed back"));
}

TEST_CASE("the programs of docs/iterations.md do what is said about them") {
  {
    world w(1);
    const auto numbers = w.env.from_sequence(2, 9);
    auto loop = numbers.iterate();
    auto halved = loop.map([](std::int64_t n) { return n / 2; });
    loop.close_with(halved.filter([](std::int64_t n) { return n > 1; }));
    CHECK(halved.filter([](std::int64_t n) { return n <= 1; }).execute_and_collect() ==
          std::vector<std::int64_t>(8, 1));
  }
  struct request {
    std::int64_t user;
    std::int64_t amount;
  };
  struct grant {
    std::int64_t user;
    std::int64_t left;
  };
  const output_tag<grant> returned("returned");
  struct hand_out {
    output_tag<grant> returned;
    void process_element1(const request& r, keyed_process_context<std::int64_t>& context,
                          collector<std::int64_t>&) {
      context.output(returned, {r.user, r.amount});
    }
    void process_element2(const grant& g, keyed_process_context<std::int64_t>& context,
                          collector<std::int64_t>& out) {
      out.emit(g.user);
      if (g.left > 1) context.output(returned, {g.user, g.left - 1});
    }
  };
  world w(2);
  const auto requests = w.env.from_collection(std::vector<request>{{1, 2}, {2, 3}});
  auto loop = requests.iterate_with<grant>();
  auto granted = loop.key_by(&request::user, &grant::user).process(hand_out{returned});
  loop.close_with(granted.side_output(returned));
  CHECK(sorted(granted.execute_and_collect()) == std::vector<std::int64_t>{1, 1, 2, 2, 2});
}

}  // namespace iterations_test
