#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "millrace/api/iterative_stream.hpp"
#include "millrace/api/stream_environment.hpp"
#include "support/temporary_directory.hpp"

namespace embedded_runner_test {

/// Counts how often one of its kind is copied.
class cargo {
 public:
  static inline std::atomic<std::int64_t> copies = 0;

  cargo() = default;
  explicit cargo(std::int64_t number) : number_(number) {}
  cargo(const cargo& other) : number_(other.number_) { ++copies; }
  cargo(cargo&&) noexcept = default;
  cargo& operator=(const cargo& other) {
    number_ = other.number_;
    ++copies;
    return *this;
  }
  cargo& operator=(cargo&&) noexcept = default;

  std::int64_t number() const { return number_; }

 private:
  std::int64_t number_ = 0;
};

}  // namespace embedded_runner_test

template <>
struct millrace::codec<embedded_runner_test::cargo> {
  using cargo = embedded_runner_test::cargo;
  static constexpr std::string_view type_name = "embedded_runner_test::cargo";
  static void write(byte_writer& out, const cargo& c) { encode(out, c.number()); }
  static bool read(byte_reader& in, cargo& c) {
    std::int64_t number = 0;
    if (!decode(in, number)) return false;
    c = cargo(number);
    return true;
  }
};

namespace embedded_runner_test {

using namespace millrace;

namespace {

struct word {
  std::int64_t key = 0;
  std::int64_t count = 0;

  bool operator==(const word&) const = default;
};

/// The counts of a keyed count, from the last update of each key.
std::map<std::int64_t, std::int64_t> count(const configuration& config, std::uint32_t sources,
                                           std::uint32_t counters, std::int64_t records,
                                           std::int64_t keys) {
  stream_environment env(config);
  const auto updates = env.from_generator(
                              [keys](const std::uint64_t& n) {
                                return word{static_cast<std::int64_t>((n * 2654435761u) % keys), 1};
                              },
                              static_cast<std::uint64_t>(records))
                           .set_parallelism(sources)
                           .key_by(&word::key)
                           .sum(&word::count)
                           .set_parallelism(counters)
                           .execute_and_collect();
  std::map<std::int64_t, std::int64_t> last;
  for (const auto& u : updates) last[u.key] = std::max(last[u.key], u.count);
  return last;
}

configuration with(std::initializer_list<std::pair<const char*, std::string>> settings) {
  configuration config;
  for (const auto& [key, value] : settings) REQUIRE(config.set(key, value, "test"));
  return config;
}

}  // namespace

TEST_CASE("Embedded keyed counts are right for any parallelism and batch size") {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const std::int64_t records = 1 + random() % 50'000;
    const std::int64_t keys = 1 + random() % 300;
    const auto config =
        with({{"taskmanager.network.batch-rows", std::to_string(1 + random() % 900)},
              {"taskmanager.network.channel-bytes", "64kb"}});
    std::map<std::int64_t, std::int64_t> expected;
    for (std::uint64_t n = 0; n < static_cast<std::uint64_t>(records); ++n)
      ++expected[static_cast<std::int64_t>((n * 2654435761u) % keys)];
    CHECK(count(config, 1 + random() % 4, 1 + random() % 4, records, keys) == expected);
  }
}

TEST_CASE("Records go from task to task of a process without being copied") {
  constexpr std::int64_t records = 10'000;
  static std::atomic<std::int64_t> sum;
  const auto take = [](const cargo& c) { sum += c.number(); };
  for (const bool by_key : {false, true}) {
    CAPTURE(by_key);
    cargo::copies = 0;
    sum = 0;
    stream_environment env;
    env.set_parallelism(2);
    const auto made = env.from_generator(
        [](const std::uint64_t& n) { return cargo(static_cast<std::int64_t>(n)); },
        static_cast<std::uint64_t>(records));
    if (by_key)
      made.key_by([](const cargo& c) { return c.number() % 100; }).add_sink(take);
    else
      made.rebalance().add_sink(take);
    env.execute();
    CHECK(sum == records * (records - 1) / 2);
    CHECK(cargo::copies == 0);
  }
}

TEST_CASE("Embedded loops end when each record has made its trips") {
  for (std::uint32_t parallelism = 1; parallelism <= 3; ++parallelism) {
    CAPTURE(parallelism);
    stream_environment env(with({{"taskmanager.network.channel-bytes", "64kb"}}));
    env.set_parallelism(parallelism);
    const auto loop = env.from_generator(
                             [](const std::uint64_t& n) {
                               return word{static_cast<std::int64_t>(n),
                                           static_cast<std::int64_t>(n == 7 ? 20'000 : n % 10)};
                             },
                             std::uint64_t{5'000})
                          .iterate();
    const auto body = loop.key_by(&word::key).map([](const word& w) {
      return word{w.key + 1, w.count - 1};
    });
    loop.close_with(body.filter([](const word& w) { return w.count > 0; }));
    const auto arrived =
        body.filter([](const word& w) { return w.count <= 0; }).execute_and_collect();
    CHECK(arrived.size() == 5'000);
  }
}

TEST_CASE("An embedded job goes on from its last checkpoint when a function throws") {
  constexpr std::int64_t records = 30'000;
  constexpr std::int64_t keys = 37;
  test::temporary_directory directory;
  static std::atomic<int> thrown;
  thrown = 0;
  stream_environment env(with({{"execution.checkpointing.interval", "20 ms"},
                               {"state.checkpoints.dir", directory.path("checkpoints")},
                               {"state.storage.fs.memory-threshold", "0"},
                               {"restart-strategy.type", "fixed-delay"},
                               {"restart-strategy.fixed-delay.attempts", "2"},
                               {"restart-strategy.fixed-delay.delay", "1 ms"}}));
  const auto updates =
      env.from_generator([](const std::uint64_t& n) { return static_cast<std::int64_t>(n); },
                         {.count = records, .per_second = 30'000})
          .set_parallelism(2)
          .map([](const std::int64_t& n) {
            if ((n == 9'000 && thrown == 0) || (n == 20'000 && thrown == 1)) {
              ++thrown;
              throw std::runtime_error("not now");
            }
            return word{n % keys, 1};
          })
          .key_by(&word::key)
          .sum(&word::count)
          .set_parallelism(3)
          .execute_and_collect();
  CHECK(thrown == 2);
  // Each count of each key once.
  std::map<std::int64_t, std::int64_t> counted;
  std::set<std::pair<std::int64_t, std::int64_t>> expected;
  for (std::int64_t n = 0; n < records; ++n) expected.insert({n % keys, ++counted[n % keys]});
  std::set<std::pair<std::int64_t, std::int64_t>> came;
  for (const auto& u : updates) came.insert({u.key, u.count});
  CHECK(came == expected);
  CHECK(updates.size() == records);
  // Nothing is left of a job that has finished.
  CHECK(std::filesystem::is_empty(directory.path("checkpoints")));
}

TEST_CASE("An embedded job without checkpoints begins afresh when it is restarted") {
  static std::atomic<int> thrown;
  thrown = 0;
  stream_environment env(with({{"restart-strategy.type", "fixed-delay"},
                               {"restart-strategy.fixed-delay.attempts", "1"},
                               {"restart-strategy.fixed-delay.delay", "1 ms"}}));
  const auto rows = env.from_sequence(1, 5'000)
                        .map([](const std::int64_t& n) {
                          if (n == 4'000 && thrown++ == 0) throw std::runtime_error("not now");
                          return n;
                        })
                        .execute_and_collect();
  CHECK(thrown == 2);
  CHECK(rows.size() == 5'000);
}

TEST_CASE("An embedded job with checkpoints refuses what they can't hold, by name") {
  test::temporary_directory directory;
  stream_environment env(with({{"execution.checkpointing.interval", "20 ms"},
                               {"state.checkpoints.dir", directory.path("checkpoints")}}));
  const auto loop = env.from_sequence(1, 10).iterate();
  loop.close_with(loop.filter([](const std::int64_t&) { return false; }));
  loop.discard();
  try {
    env.execute("loop");
    FAIL("the job should have failed");
  } catch (const failure& refused) {
    const std::string why = refused.what();
    CHECK(why.find("can't be part of a job that takes checkpoints") != std::string::npos);
    CHECK(why.find("iteration") != std::string::npos);
  }
}

TEST_CASE("A function that throws fails the embedded job, and the process lives") {
  stream_environment env;
  env.from_sequence(1, 1000)
      .map([](const std::int64_t& n) {
        if (n == 500) throw std::runtime_error("five hundred");
        return n;
      })
      .name("fragile")
      .discard();
  try {
    env.execute("thrower");
    FAIL("the job should have failed");
  } catch (const failure& e) {
    const std::string what = e.what();
    CAPTURE(what);
    CHECK(what.find("fragile") != std::string::npos);
    CHECK(what.find("five hundred") != std::string::npos);
    CHECK(what.find("subtask 1/1") != std::string::npos);
    CHECK(what.find("attempt") != std::string::npos);
  }
}

TEST_CASE("An endless embedded job runs until it is cancelled") {
  stream_environment env;
  env.from_generator([](const std::uint64_t& n) { return n; }, {.count = {}, .per_second = 1e5})
      .rebalance()
      .discard();
  const auto job = env.execute_async("endless");
  CHECK_FALSE(job->wait_for(std::chrono::milliseconds(30)));
  CHECK(job->status() == graph::job_status::running);
  job->cancel();
  const auto ended = job->wait();
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == errc::cancelled);
}

TEST_CASE("A client is answered while user functions keep all threads busy") {
  static std::atomic<bool> may_go_on;
  static std::atomic<unsigned> busy;
  may_go_on = false;
  busy = 0;
  const auto threads = std::max(1u, std::thread::hardware_concurrency());  // of CAF's scheduler
  stream_environment env(with({{"taskmanager.numberOfTaskSlots", std::to_string(threads)}}));
  env.set_parallelism(threads);
  env.from_sequence(1, 100 * threads)
      .map([](const std::int64_t& n) {
        ++busy;
        while (!may_go_on) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return n;
      })
      .discard();
  const auto job = env.execute_async("busy");
  for (int ms = 0; busy < threads && ms < 10'000; ++ms)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(busy == threads);
  CHECK(job->status() == graph::job_status::running);
  may_go_on = true;
  CHECK(job->wait());
}

TEST_CASE("A client that is dropped takes its embedded job with it") {
  stream_environment env;
  env.from_generator([](const std::uint64_t& n) { return n; }, {.count = {}, .per_second = {}})
      .rebalance()
      .discard();
  const auto job = env.execute_async("dropped");
  CHECK_FALSE(job->wait_for(std::chrono::milliseconds(5)));
}

TEST_CASE("Two jobs share one embedded cluster") {
  const auto runner = make_embedded_runner(with({{"taskmanager.numberOfTaskSlots", "2"}}), 2);
  REQUIRE(runner);
  stream_environment first({}, *runner);
  first.from_sequence(1, 200'000).rebalance().discard();
  stream_environment second({}, *runner);
  second.from_sequence(1, 200'000).rebalance().discard();
  const auto one = first.execute_async("one");
  const auto two = second.execute_async("two");
  CHECK(one->wait());
  CHECK(two->wait());
  CHECK(one->id() != two->id());
}

TEST_CASE("A job that needs more slots than its process may have fails at once") {
  stream_environment env(with({{"taskmanager.numberOfTaskSlots", "2"}}));
  env.from_sequence(1, 10).set_parallelism(4).discard().set_parallelism(4);
  try {
    env.execute("greedy");
    FAIL("the job should have failed");
  } catch (const failure& e) {
    const std::string what = e.what();
    CAPTURE(what);
    CHECK(e.code() == errc::no_slots);
    CHECK(what.find("needs 4 slots, but taskmanager.numberOfTaskSlots is 2 (test)") !=
          std::string::npos);
  }
}

}  // namespace embedded_runner_test
