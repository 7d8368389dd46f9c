#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"
#include "reference/outcome.hpp"
#include "reference/paced_streams.hpp"
#include "reference/plain_evictor.hpp"
#include "reference/plain_trigger.hpp"
#include "reference/timer_user.hpp"
#include "support/local_runner.hpp"
#include "support/state_backends.hpp"

namespace random_pipelines_test {

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;
using std::chrono::milliseconds;

namespace {

using outcomes = std::vector<outcome>;
using events = std::vector<event>;

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

outcome outcome_of(std::int64_t key, std::int64_t start, const events& rows) {
  outcome all;
  for (const auto& e : rows) sum_and_count().add(all, e);
  all.key = key;
  all.start = start;
  return all;
}

outcome pair_of(const event& a, const event& b) {
  return {a.key, a.at, a.value, b.value};
}
/// The one that is missing has the value -1.
outcome pair_of(const event* a, const event* b) {
  const auto& any = a != nullptr ? *a : *b;
  return {any.key, any.at, a != nullptr ? a->value : -1, b != nullptr ? b->value : -1};
}

/// A source's function: the events in their order. Those without a key are no events.
struct one_by_one {
  std::shared_ptr<const events> all;
  event operator()(std::uint64_t i) const { return (*all)[i]; }
};

/// Watermarks are where the streams have them.
struct marks {
  std::shared_ptr<const paced_streams> of;
  void on_event(const event& e, timestamp_ms, watermark_output& out) const {
    if (const auto& at = of->watermark_behind(e)) out.emit_watermark(*at);
  }
  void on_periodic_emit(watermark_output&) const {}
};

/// Events in the order of their arrival, and how far behind the greatest any of them is.
struct disordered {
  events all;
  std::int64_t disorder = 0;

  /// Their values begin with `first`.
  disordered(random_numbers& random, std::int64_t first) {
    random_stream stream(random, 0);
    for (timestamp_ms greatest = no_timestamp; stream.has_next();) {
      all.push_back(stream.next());
      all.back().value += first;
      greatest = std::max(greatest, all.back().at);
      disorder = std::max(disorder, greatest - all.back().at);
    }
  }
};

// Between two ticks a stream is looked at twice at least: one without an event is not idle at the
// next tick, and is before the second one.
constexpr double ticks_per_second = 1;
constexpr milliseconds looks_each{450};
constexpr milliseconds idle_after{1050};

const output_tag<event> late_events("late");
const output_tag<event> late_right_events("late right");

enum class shape : std::uint8_t {
  windows,
  local_windows,
  sessions,
  windows_of_all,
  count_windows,
  triggered_windows,
  timers,
  window_join,
  co_group,
  interval_join,
  outer_interval_join,
};

/// A whole job in event time, and the same by an interpreter, or by all pairs. Its events come as
/// fast as they can, with no watermark ahead of any, so that what comes out does not depend on who
/// is faster; or at a pace, with some of them late and some of the source's subtasks idle.
class job {
 public:
  job(std::uint64_t seed, shape what)
      : random_(seed),
        shape_(what),
        // Else the order in which the events of a key come is anybody's guess.
        is_paced_(shape_ == shape::triggered_windows || shape_ == shape::timers ||
                  random_.one_of(2)),
        readers_(shape_ == shape::count_windows && !is_paced_ ? 1 : upto(1, 4)),
        reads_late_(random_.one_of(2)) {
    windows_.slide = random_.upto(1, 12);
    windows_.size = windows_.slide * random_.upto(1, 8);
    windows_.offset = random_.upto(-20, 20);
    if (shape_ == shape::sessions) windows_.assigner = assigning::sessions;
    if (shape_ == shape::triggered_windows) choose_trigger();
    make_streams();
    static const auto backends = all_state_backends();
    pipeline_settings settings;
    settings.seed = seed;
    settings.tasks.auto_watermark_interval = looks_each;
    // Opening a real one takes longer than the rest of a case.
    settings.tasks.state = backends[random_.one_of(10) ? 3 : seed % 3].backend;
    env_.emplace(configuration(), std::make_shared<local_runner>(settings));
    env_->set_parallelism(upto(1, 4));
  }

  void run() {
    switch (shape_) {
      case shape::windows:
        return run_windows(lenient(keyed().window(sliding())).aggregate(sum_and_count(), show));
      case shape::local_windows:
        return run_windows(
            keyed().window(sliding()).local_aggregation().aggregate(sum_and_count(), show));
      case shape::sessions:
        return run_windows(lenient(keyed().window(sessions())).apply(show_rows));
      case shape::windows_of_all:
        return run_windows(lenient(left().window_all(sliding()))
                               .apply<outcome>([](const auto&, const time_window& w,
                                                  const events& rows, collector<outcome>& out) {
                                 out.emit(outcome_of(0, w.start, rows));
                               }));
      case shape::count_windows:
        return run_count_windows();
      case shape::triggered_windows:
        return run_windows(lenient(keyed().window(sliding()))
                               .trigger(plain_trigger(windows_))
                               .evictor(plain_evictor(windows_))
                               .apply(show_rows));
      case shape::timers:
        return run_timers();
      case shape::window_join:
      case shape::co_group:
        return run_joined_windows();
      case shape::interval_join:
      case shape::outer_interval_join:
        return run_interval_join();
    }
  }

  void check() {
    const auto dropped = reads_late_ ? 0 : static_cast<std::int64_t>(late_wanted_.size());
    REQUIRE(dropped_ == dropped);
    if (reads_late_) require_equal(*late_got_, late_wanted_);
    require_equal(*got_, wanted_);
  }

  bool is_empty() const { return wanted_.empty(); }
  bool has_late() const { return !late_wanted_.empty(); }
  bool was_idle() const { return came_back_ > 0; }

 private:
  std::uint32_t upto(std::int64_t least, std::int64_t most) {
    return static_cast<std::uint32_t>(random_.upto(least, most));
  }

  static void show(const std::int64_t& key, const time_window& w, const outcome& all,
                   collector<outcome>& out) {
    out.emplace(key, w.start, all.sum, all.count);
  }
  static void show_rows(const std::int64_t& key, const time_window& w, const events& rows,
                        collector<outcome>& out) {
    out.emit(outcome_of(key, w.start, rows));
  }

  template <class T>
  static void require_equal(std::vector<T>& got, std::vector<T>& wanted) {
    std::sort(got.begin(), got.end());
    std::sort(wanted.begin(), wanted.end());
    REQUIRE(got == wanted);
  }

  // -- what is chosen -------------------------------------------------------------------------

  bool has_two_streams() const { return shape_ >= shape::window_join; }

  /// That of a join in windows has rows of a type of its own.
  bool has_late_output() const {
    return shape_ != shape::local_windows && shape_ != shape::count_windows &&
           shape_ != shape::timers && shape_ != shape::window_join && shape_ != shape::co_group;
  }

  void choose_trigger() {
    static constexpr triggering triggers[] = {triggering::at_end, triggering::continuously,
                                              triggering::every_n, triggering::by_delta};
    windows_.trigger = triggers[random_.upto(0, 3)];
    windows_.n = random_.upto(1, 5);
    windows_.interval = random_.upto(1, 15);
    windows_.delta = random_.upto(0, 10);
    windows_.purges = random_.one_of(3);
    windows_.evictor = static_cast<evicting>(random_.upto(0, 3));
    windows_.evicts_after = random_.one_of(2);
    windows_.keeps = random_.upto(0, windows_.evictor == evicting::by_count ? 4 : 20);
  }

  void make_streams() {
    if (is_paced_ && has_two_streams()) readers_ = 1;
    if (is_paced_) {
      paced_ = std::make_shared<paced_streams>(random_, has_two_streams() ? 2 : readers_);
      if (shape_ != shape::local_windows && random_.one_of(2))
        windows_.lateness = random_.upto(1, 30);
    } else {
      unpaced_.emplace_back(random_, 0);
      if (has_two_streams()) unpaced_.emplace_back(random_, right_values);
    }
    reads_late_ = reads_late_ && has_late_output();
  }

  // -- the job --------------------------------------------------------------------------------

  sliding_event_time_windows sliding() const {
    return sliding_event_time_windows::of(milliseconds(windows_.size), milliseconds(windows_.slide),
                                          milliseconds(windows_.offset));
  }

  event_time_session_windows sessions() const {
    return event_time_session_windows::with_gap(milliseconds(windows_.size));
  }

  data_stream<event> left() { return stream(0); }
  data_stream<event> right() { return stream(1); }
  keyed_stream<event, std::int64_t event::*> keyed() { return left().key_by(&event::key); }

  data_stream<event> stream(std::size_t which) {
    using strategy = watermark_strategy<event>;
    if (is_paced_) {
      generator_options pace;
      pace.per_second = ticks_per_second * readers_;
      return timed(ticks_of(which), pace,
                   strategy::for_generator(marks{paced_}).with_idleness(idle_after));
    }
    const auto& from = unpaced_[which];
    return timed(from.all, {}, strategy::for_bounded_out_of_orderness(milliseconds(from.disorder)));
  }
  data_stream<event> timed(events all, generator_options pace,
                           const watermark_strategy<event>& how) {
    pace.count = all.size();
    return env_->from_generator(one_by_one{std::make_shared<const events>(std::move(all))}, pace)
        .set_parallelism(readers_)
        .filter([](const event& e) { return e.key != 0; })
        .set_parallelism(readers_)
        .assign_timestamps_and_watermarks(how.with_timestamp_assigner(&event::at))
        .set_parallelism(readers_);
  }
  /// What each reader has at each tick: reader n makes every record whose index modulo their number
  /// is n.
  events ticks_of(std::size_t first) const {
    events all;
    for (std::size_t tick = 0; tick < paced_->ticks(); ++tick)
      for (std::size_t reader = 0; reader < readers_; ++reader) {
        const auto* e = paced_->event_of(first + reader, tick);
        all.push_back(e != nullptr ? *e : event());
      }
    return all;
  }

  template <class Windows>
  Windows lenient(const Windows& windows) const {
    return windows.allowed_lateness(milliseconds(windows_.lateness))
        .side_output_late_data(late_events);
  }

  /// Runs the job.
  void collect(const single_output<outcome>& result) {
    result.add_sink([into = got_](const outcome& row) { into->push_back(row); });
    if (reads_late_) read_late(result);
    const auto all = env_->execute().accumulators;
    if (const auto found = all.find(late_records_accumulator); found != all.end())
      dropped_ = std::get<std::int64_t>(found->second.value);
  }
  void read_late(const single_output<outcome>& result) {
    const auto late = result.side_output(late_events);
    const bool has_two = has_two_streams();
    (has_two ? late.union_with(result.side_output(late_right_events)) : late)
        .add_sink([into = late_got_](const event& e) { into->push_back(e); });
  }

  // -- and what is expected of it -------------------------------------------------------------

  template <class OnEvent, class OnWatermark>
  void replay(OnEvent&& on_event, OnWatermark&& on_watermark) {
    if (is_paced_) came_back_ = paced_->replay(on_event, on_watermark);
    for (std::size_t s = 0; s < unpaced_.size(); ++s)
      for (const auto& e : unpaced_[s].all) on_event(s, e);
  }
  bool is_right(const event& e) const {
    return is_paced_ ? has_two_streams() && paced_->stream_of(e) == 1 : e.value >= right_values;
  }

  std::vector<firing> interpret() {
    interpreter expected(windows_);
    replay(
        [&](std::size_t, event e) {
          if (shape_ == shape::windows_of_all) e.key = 0;
          expected.row(e);
        },
        [&](timestamp_ms at) { expected.watermark(at); });
    expected.end();
    late_wanted_ = expected.late;
    return expected.firings;
  }

  void run_windows(const single_output<outcome>& result) {
    collect(result);
    if (shape_ == shape::windows_of_all)
      for (auto& e : *late_got_) e.key = 0;
    for (const auto& f : interpret()) wanted_.push_back(outcome_of(f.key, f.window.start, f.rows));
  }

  void run_count_windows() {
    const auto size = random_.upto(1, 6);
    const auto slide = random_.upto(1, 6);
    collect(
        keyed()
            .count_window(size, slide)
            .apply<outcome>([](const std::int64_t& key, const auto&, const events& rows,
                               collector<outcome>& out) { out.emit(outcome_of(key, 0, rows)); }));
    std::map<std::int64_t, events> by_key;
    replay(
        [&](std::size_t, const event& e) {
          auto& rows = by_key[e.key];
          rows.push_back(e);
          const auto count = static_cast<std::int64_t>(rows.size());
          if (count % slide == 0)
            wanted_.push_back(
                outcome_of(e.key, 0, {rows.end() - std::min(size, count), rows.end()}));
        },
        [](timestamp_ms) {});
  }

  void run_timers() {
    collect(keyed().process(timer_user(false)));
    timer_interpreter expected(false);
    replay([&](std::size_t, const event& e) { expected.row(e); },
           [&](timestamp_ms at) { expected.watermark(at); });
    expected.watermark(max_watermark);
    wanted_ = expected.rings;
  }

  void run_joined_windows() {
    const auto sides = [&](const auto& pairing) {
      return pairing.where(&event::key)
          .equal_to(&event::key)
          .window(sliding())
          .allowed_lateness(milliseconds(windows_.lateness));
    };
    const bool is_join = shape_ == shape::window_join;
    const auto pair = [](const event& a, const event& b) { return pair_of(a, b); };
    collect(is_join ? sides(left().join(right())).apply(pair)
                    : sides(left().co_group(right())).apply(show_sides));
    for (const auto& f : interpret()) {
      events both[2];
      for (const auto& e : f.rows) both[is_right(e) ? 1 : 0].push_back(e);
      if (!is_join) wanted_.push_back(sides_of(both[0], both[1]));
      for (const auto& a : both[0])
        for (const auto& b : both[1])
          if (is_join) wanted_.push_back(pair_of(a, b));
    }
  }
  static outcome sides_of(const events& as, const events& bs) {
    return {(as.empty() ? bs : as).front().key, outcome_of(0, 0, as).sum, outcome_of(0, 0, bs).sum,
            static_cast<std::int64_t>(as.size() * 1000 + bs.size())};
  }
  static void show_sides(const events& as, const events& bs, collector<outcome>& out) {
    out.emit(sides_of(as, bs));
  }

  void run_interval_join() {
    const auto lower = random_.upto(-30, 20);
    const auto upper = lower + random_.upto(0, 30);
    const auto joined = keyed()
                            .interval_join(right().key_by(&event::key))
                            .between(milliseconds(lower), milliseconds(upper))
                            .side_output_left_late_data(late_events)
                            .side_output_right_late_data(late_right_events);
    const bool is_outer = shape_ == shape::outer_interval_join;
    collect(is_outer ? joined.full_outer().process<outcome>(show_pair<const event*>)
                     : joined.process<outcome>(show_pair<const event&>));

    events both[2];
    timestamp_ms watermark = no_timestamp;
    replay([&](std::size_t s,
               const event& e) { (e.at < watermark ? late_wanted_ : both[s]).push_back(e); },
           [&](timestamp_ms at) { watermark = at; });
    std::vector<bool> has_partner(both[1].size(), false);
    for (const auto& a : both[0]) {
      const auto before = wanted_.size();
      for (std::size_t i = 0; i < both[1].size(); ++i) {
        const auto& b = both[1][i];
        if (a.key != b.key || b.at < a.at + lower || b.at > a.at + upper) continue;
        wanted_.push_back(pair_of(a, b));
        has_partner[i] = true;
      }
      if (is_outer && wanted_.size() == before) wanted_.push_back(pair_of(&a, nullptr));
    }
    for (std::size_t i = 0; i < both[1].size(); ++i)
      if (is_outer && !has_partner[i]) wanted_.push_back(pair_of(nullptr, &both[1][i]));
  }
  template <class Row>
  static void show_pair(Row a, Row b, collector<outcome>& out) {
    out.emit(pair_of(a, b));
  }

  /// Of the right stream, where events are not paced: none of the left one is so great.
  static constexpr std::int64_t right_values = 1000;

  random_numbers random_;
  shape shape_;
  bool is_paced_;
  std::uint32_t readers_;
  bool reads_late_;
  window_job windows_;
  std::vector<disordered> unpaced_;  // by stream
  std::shared_ptr<const paced_streams> paced_;
  std::optional<stream_environment> env_;
  std::shared_ptr<outcomes> got_ = std::make_shared<outcomes>();
  std::shared_ptr<events> late_got_ = std::make_shared<events>();
  std::int64_t dropped_ = 0;
  outcomes wanted_;
  events late_wanted_;
  std::int64_t came_back_ = 0;
};

/// Runs cases of all shapes from `first` to `last`.
void run_cases(shape first, shape last, std::uint64_t usual) {
  const case_range cases(usual);
  const auto shapes = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) + 1;
  std::uint64_t empty = 0, late = 0, idle = 0;
  for (auto seed = cases.first; seed < cases.first + cases.count; ++seed) {
    const auto which = static_cast<std::uint64_t>(first) + seed % shapes;
    CAPTURE(seed);
    CAPTURE(which);
    job now(seed, static_cast<shape>(which));
    now.run();
    now.check();
    empty += now.is_empty() ? 1 : 0;
    late += now.has_late() ? 1 : 0;
    idle += now.was_idle() ? 1 : 0;
  }
  CHECK(empty < cases.count / 4 + 1);
  CHECK(idle >= cases.count / 6);
  if (first != shape::timers) CHECK(late >= cases.count / 6);
}

}  // namespace

TEST_CASE("random streams: whole jobs with windows emit what the reference does") {
  run_cases(shape::windows, shape::triggered_windows, 100);
}

TEST_CASE("random streams: whole jobs with timers emit what the reference does") {
  run_cases(shape::timers, shape::timers, 25);
}

TEST_CASE("random streams: whole jobs with joins emit what the reference does") {
  run_cases(shape::window_join, shape::outer_interval_join, 100);
}

}  // namespace random_pipelines_test
