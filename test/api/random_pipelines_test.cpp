#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "millrace/millrace.hpp"
#include "reference/random_stream.hpp"
#include "support/local_runner.hpp"
#include "support/state_backends.hpp"

namespace random_pipelines_test {

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;
using std::chrono::milliseconds;

namespace {

/// What a window or a pair came to.
struct outcome {
  std::int64_t key = 0;
  std::int64_t start = 0;
  std::int64_t sum = 0;
  std::int64_t count = 0;

  auto operator<=>(const outcome&) const = default;
};
using outcomes = std::vector<outcome>;

struct sum_and_count {
  outcome create_accumulator() const { return {}; }
  void add(outcome& into, const event& e) const {
    into.sum += e.value;
    ++into.count;
  }
  outcome get_result(const outcome& all) const { return all; }
  void merge(outcome& into, const outcome& from) const {
    into.sum += from.sum;
    into.count += from.count;
  }
};

outcome outcome_of(std::int64_t key, std::int64_t start, const std::vector<event>& rows) {
  outcome all;
  for (const auto& e : rows) sum_and_count().add(all, e);
  all.key = key;
  all.start = start;
  return all;
}

outcome pair_of(const event& a, const event& b) {
  return {a.key, a.at, a.value, b.value};
}

/// Events in the order of their arrival, and how far behind the greatest any of them is.
struct disordered {
  std::vector<event> events;
  std::int64_t disorder = 0;

  explicit disordered(random_numbers& random) {
    random_stream stream(random, 0);
    for (timestamp_ms greatest = no_timestamp; stream.has_next();) {
      events.push_back(stream.next());
      greatest = std::max(greatest, events.back().at);
      disorder = std::max(disorder, greatest - events.back().at);
    }
  }
};

/// A whole job in event time over events that no watermark is ahead of, so that what comes out does
/// not depend on who is faster; and the same by the interpreter, or by all pairs.
class job {
  static void show(const std::int64_t& key, const time_window& w, const outcome& all,
                   collector<outcome>& out) {
    out.emplace(key, w.start, all.sum, all.count);
  }

  std::uint32_t upto(std::int64_t least, std::int64_t most) {
    return static_cast<std::uint32_t>(random_.upto(least, most));
  }
  sliding_event_time_windows sliding() const {
    return sliding_event_time_windows::of(milliseconds(windows_.size), milliseconds(windows_.slide),
                                          milliseconds(windows_.offset));
  }

  data_stream<event> timed(const disordered& from, std::uint32_t readers) {
    return env_
        ->from_generator([events = from.events](std::uint64_t i) { return events[i]; },
                         from.events.size())
        .set_parallelism(readers)
        .assign_timestamps_and_watermarks(
            watermark_strategy<event>::for_bounded_out_of_orderness(milliseconds(from.disorder))
                .with_timestamp_assigner(&event::at))
        .set_parallelism(readers);
  }
  data_stream<event> timed(const disordered& from) { return timed(from, upto(1, 4)); }
  auto keyed() { return timed(left_).key_by(&event::key); }

 public:
  explicit job(std::uint64_t seed)
      : random_(seed), left_(random_), right_(random_), parallelism_(upto(1, 4)) {
    windows_.slide = random_.upto(1, 12);
    windows_.size = windows_.slide * random_.upto(1, 8);
    windows_.offset = random_.upto(-20, 20);
    static const auto backends = all_state_backends();
    pipeline_settings settings;
    settings.seed = seed;
    // Opening a real one takes longer than the rest of a case.
    settings.tasks.state = backends[random_.one_of(10) ? 3 : seed % 3].backend;
    env_.emplace(configuration(), std::make_shared<local_runner>(settings));
    env_->set_parallelism(parallelism_);
  }

  static constexpr std::int64_t kinds = 8;

  void run(std::int64_t kind) {
    switch (kind) {
      case 0:
        got_ = keyed().window(sliding()).aggregate(sum_and_count(), show).execute_and_collect();
        return by_interpreter();
      case 1:
        got_ = keyed()
                   .window(sliding())
                   .local_aggregation()
                   .aggregate(sum_and_count(), show)
                   .execute_and_collect();
        return by_interpreter();
      case 2:
        windows_.assigner = assigning::sessions;
        got_ = keyed()
                   .window(event_time_session_windows::with_gap(milliseconds(windows_.size)))
                   .apply([](const std::int64_t& key, const time_window& w,
                             const std::vector<event>& rows,
                             collector<outcome>& out) { out.emit(outcome_of(key, w.start, rows)); })
                   .execute_and_collect();
        return by_interpreter();
      case 3:
        got_ = timed(left_)
                   .window_all(sliding())
                   .apply<outcome>(
                       [](const auto&, const time_window& w, const std::vector<event>& rows,
                          collector<outcome>& out) { out.emit(outcome_of(0, w.start, rows)); })
                   .execute_and_collect();
        for (auto& e : left_.events) e.key = 0;
        return by_interpreter();
      case 4:
        return run_count_windows();
      case 5:
        return run_window_join();
      case 6:
        return run_co_group();
      default:
        return run_interval_join();
    }
  }

  void check() {
    std::sort(got_.begin(), got_.end());
    std::sort(wanted_.begin(), wanted_.end());
    REQUIRE(got_ == wanted_);
  }
  bool is_empty() const { return wanted_.empty(); }

 private:
  void by_interpreter() {
    interpreter expected(windows_);
    for (const auto& e : left_.events) expected.row(e);
    expected.end();
    for (const auto& f : expected.firings)
      wanted_.push_back(outcome_of(f.key, f.window.start, f.rows));
  }

  void run_count_windows() {
    const auto size = static_cast<std::uint64_t>(random_.upto(1, 6));
    const auto slide = static_cast<std::uint64_t>(random_.upto(1, 6));
    got_ =
        timed(left_, 1)  // or the order of a key's events is anybody's guess
            .key_by(&event::key)
            .count_window(size, slide)
            .apply<outcome>([](const std::int64_t& key, const auto&, const std::vector<event>& rows,
                               collector<outcome>& out) { out.emit(outcome_of(key, 0, rows)); })
            .execute_and_collect();
    std::map<std::int64_t, std::vector<event>> by_key;
    for (const auto& e : left_.events) {
      auto& rows = by_key[e.key];
      rows.push_back(e);
      if (rows.size() % slide != 0) continue;
      const auto first = rows.size() > size ? rows.size() - size : 0;
      wanted_.push_back(
          outcome_of(e.key, 0, {rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end()}));
    }
  }

  /// The starts of the windows that an event is in.
  std::vector<timestamp_ms> starts_of(const event& e) const {
    std::vector<timestamp_ms> starts;
    const auto at = e.at - windows_.offset;
    auto last = at / windows_.slide * windows_.slide;
    if (last > at) last -= windows_.slide;
    for (auto start = last; start > at - windows_.size; start -= windows_.slide)
      starts.push_back(start + windows_.offset);
    return starts;
  }

  void run_window_join() {
    got_ = timed(left_)
               .join(timed(right_))
               .where(&event::key)
               .equal_to(&event::key)
               .window(sliding())
               .apply(pair_of)
               .execute_and_collect();
    for (const auto& a : left_.events)
      for (const auto& b : right_.events)
        for (const auto start : starts_of(a))
          if (a.key == b.key && b.at >= start && b.at < start + windows_.size)
            wanted_.push_back(pair_of(a, b));
  }

  void run_co_group() {
    got_ = timed(left_)
               .co_group(timed(right_))
               .where(&event::key)
               .equal_to(&event::key)
               .window(sliding())
               .apply([](const std::vector<event>& as, const std::vector<event>& bs,
                         collector<outcome>& out) {
                 out.emplace((as.empty() ? bs : as).front().key, outcome_of(0, 0, as).sum,
                             outcome_of(0, 0, bs).sum,
                             static_cast<std::int64_t>(as.size() * 1000 + bs.size()));
               })
               .execute_and_collect();
    std::map<std::pair<std::int64_t, timestamp_ms>, std::array<outcome, 2>> groups;
    const auto gather = [&](const disordered& from, std::size_t side) {
      for (const auto& e : from.events)
        for (const auto start : starts_of(e)) sum_and_count().add(groups[{e.key, start}][side], e);
    };
    gather(left_, 0);
    gather(right_, 1);
    for (const auto& [where, both] : groups)
      wanted_.push_back(
          {where.first, both[0].sum, both[1].sum, both[0].count * 1000 + both[1].count});
  }

  void run_interval_join() {
    const auto lower = random_.upto(-30, 20);
    const auto upper = lower + random_.upto(0, 30);
    got_ = keyed()
               .interval_join(timed(right_).key_by(&event::key))
               .between(milliseconds(lower), milliseconds(upper))
               .process([](const event& a, const event& b, collector<outcome>& out) {
                 out.emit(pair_of(a, b));
               })
               .execute_and_collect();
    for (const auto& a : left_.events)
      for (const auto& b : right_.events)
        if (a.key == b.key && b.at >= a.at + lower && b.at <= a.at + upper)
          wanted_.push_back(pair_of(a, b));
  }

  random_numbers random_;
  disordered left_;
  disordered right_;
  std::uint32_t parallelism_;
  window_job windows_;
  std::optional<stream_environment> env_;
  outcomes got_;
  outcomes wanted_;
};

void run_cases(std::int64_t first_kind, std::int64_t last_kind) {
  const case_range cases(100);
  std::int64_t empty = 0;
  for (auto seed = cases.first; seed < cases.first + cases.count; ++seed) {
    const auto kind = first_kind + static_cast<std::int64_t>(seed) % (last_kind - first_kind + 1);
    CAPTURE(seed);
    CAPTURE(kind);
    job now(seed);
    now.run(kind);
    now.check();
    empty += now.is_empty() ? 1 : 0;
  }
  CHECK(empty < static_cast<std::int64_t>(cases.count) / 4 + 1);
}

}  // namespace

TEST_CASE("random streams: whole jobs with windows emit what the reference does") {
  run_cases(0, 4);
}

TEST_CASE("random streams: whole jobs with joins emit what the reference does") {
  run_cases(5, job::kinds - 1);
}

}  // namespace random_pipelines_test
