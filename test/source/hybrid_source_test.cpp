#include "millrace/source/hybrid_source.hpp"

#include <doctest/doctest.h>

#include "millrace/source/source_messages.hpp"
#include "source/scripted_source.hpp"
#include "support/source_harness.hpp"

namespace hybrid_source_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::mark;
using test::mark_source;
using test::mark_split;
using harness = test::source_harness<mark>;

namespace {

std::shared_ptr<const source_base<mark>> marks(std::vector<mark_split> splits,
                                               bool requests = true) {
  return std::make_shared<mark_source>(std::move(splits), requests);
}

/// History, then what follows, which says in its name how the switch came about.
std::shared_ptr<hybrid_source<mark>> history_and_more() {
  const auto hybrid =
      std::make_shared<hybrid_source<mark>>(marks({{"h1", 0, 1, 2}, {"h2", 10, 1, 2}}));
  hybrid->then(boundedness::bounded, [](const switch_context& how) {
    const auto left = how.previous_state<std::vector<mark_split>>().size();
    return marks({{"after " + std::to_string(left), 100, 1, 3}}, false);
  });
  return hybrid;
}

watermark_strategy<mark> by_time() {
  return watermark_strategy<mark>::for_monotonous_timestamps().with_timestamp_assigner(&mark::at);
}

std::vector<std::int64_t> times(const std::vector<mark>& marks) {
  std::vector<std::int64_t> all;
  for (const auto& m : marks) all.push_back(m.at);
  return all;
}

}  // namespace

TEST_CASE(
    "a hybrid source reads one source after the other, with what is known of the one before") {
  harness h(history_and_more());
  h.open();
  CHECK(h.poll_all() == poll_status::finished);
  const auto got = h.take();
  CHECK(times(got) == std::vector<std::int64_t>{0, 1, 10, 11, 100, 101, 102});
  CHECK(got.back().split == "after 0");
}

TEST_CASE("a hybrid source goes on from a snapshot of any moment") {
  const std::vector<std::int64_t> all{0, 1, 10, 11, 100, 101, 102};
  for (int polls = 0; polls < 16; ++polls) {
    CAPTURE(polls);
    const auto source = history_and_more();
    harness before(source);
    before.open();
    for (int i = 0; i < polls; ++i) before.poll_once();
    auto got = times(before.take());
    const auto enumerator = before.checkpoint_coordinator({1});
    harness after(source);
    after.restore(before.checkpoint({1}), enumerator);
    after.open();
    REQUIRE(after.poll_all() == poll_status::finished);
    for (const auto at : times(after.take())) got.push_back(at);
    CHECK(got == all);
  }
}

// -- event time -----------------------------------------------------------------------------------

TEST_CASE("event time goes on over the switch of a hybrid source, and no record is late") {
  const auto hybrid =
      std::make_shared<hybrid_source<mark>>(marks({{"h1", 0, 1, 20}, {"h2", 20, 1, 20}}));
  hybrid->then(marks({{"n1", 40, 2, 30}, {"n2", 41, 2, 30}}, false));
  harness h(hybrid, by_time());
  h.open();
  timestamp_ms reached = no_timestamp;
  std::size_t records = 0;
  while (h.poll_once() != poll_status::finished) {
    for (const auto& m : h.take()) {
      CHECK(m.at > reached);
      ++records;
    }
    h.pass_time(100ms);
    if (!h.watermarks().empty()) reached = h.watermarks().back();
  }
  CHECK(records == 100);
  CHECK(std::is_sorted(h.watermarks().begin(), h.watermarks().end()));
  CHECK(h.watermarks().size() > 30);
  CHECK(reached > 90);
}

TEST_CASE("splits of two sources may have the same id, and one reader may have both") {
  // As when a reader was led through the first source once more while others read the second, and
  // the parallelism was changed then.
  const auto hybrid = std::make_shared<hybrid_source<mark>>(marks({{"p0", 100, 1, 20}}));
  hybrid->then(marks({{"p0", 50, 1, 30}}, false));
  harness before(hybrid);
  before.open();
  std::size_t records = 0;
  const auto read_to = [&](std::size_t count) {
    while (records < count) {
      REQUIRE(before.poll_once() != poll_status::finished);
      records += before.take().size();
    }
  };
  read_to(5);
  auto saved = before.checkpoint({1});
  read_to(24);
  const auto enumerator = before.checkpoint_coordinator({2});
  const auto later = before.checkpoint({2});
  REQUIRE((saved.size() == 1 && later.size() == 1));
  auto& splits = saved[0].elements;
  splits.insert(splits.end(), later[0].elements.begin(), later[0].elements.end());
  REQUIRE(splits.size() == 2);

  auto how = by_time();
  SUBCASE("of no alignment group") {}
  SUBCASE("and the group does not stand still") {
    how = by_time().with_watermark_alignment("group", 2ms, 200ms);
  }
  harness after(hybrid, how);
  after.restore(saved, enumerator);
  after.open();
  timestamp_ms reached = no_timestamp;
  std::vector<std::int64_t> got;
  for (int round = 0; round < 1'000; ++round) {
    if (!after.op().is_busy() && after.poll_once() == poll_status::finished) break;
    for (const auto& m : after.take()) {
      CHECK(m.at > reached);  // the second holds back event time while the first is read
      got.push_back(m.at);
    }
    after.pass_time(200ms);
    if (!after.watermarks().empty()) reached = after.watermarks().back();
    if (!after.alignment_reports().empty())  // it is the only member
      after.op().on_alignment_limit("group", after.alignment_reports().back().watermark + 2);
  }
  std::vector<std::int64_t> expected;
  for (std::int64_t at = 105; at < 120; ++at) expected.push_back(at);
  for (std::int64_t at = 54; at < 80; ++at) expected.push_back(at);
  CHECK(got == expected);
  CHECK(reached > 70);  // once it is read, nobody does
}

TEST_CASE("a hybrid source may be one of the sources of another, each with splits of the same id") {
  const auto inner = std::make_shared<hybrid_source<mark>>(marks({{"p0", 10, 1, 2}}));
  inner->then(marks({{"p0", 20, 1, 2}}, false));
  const auto outer = std::make_shared<hybrid_source<mark>>(marks({{"p0", 0, 1, 2}}));
  outer->then(inner).then(marks({{"p0", 30, 1, 2}}));
  harness h(outer, by_time());
  h.open();
  CHECK(h.poll_all() == poll_status::finished);
  CHECK(times(h.take()) == std::vector<std::int64_t>{0, 1, 10, 11, 20, 21, 30, 31});
}

TEST_CASE("a hybrid source pauses splits while it reads a source that can") {
  const auto first = std::make_shared<mark_source>(std::vector<mark_split>{{"old", 0, 100, 5}},
                                                   /*requests=*/true, /*pauses=*/false);
  const auto second = std::make_shared<mark_source>(
      std::vector<mark_split>{{"fast", 1000, 100, 50}, {"slow", 1000, 1, 50}}, /*requests=*/false);
  const auto hybrid = std::make_shared<hybrid_source<mark>>(first);
  hybrid->then(second);
  harness h(hybrid, by_time().with_watermark_alignment("group", 50ms, 1s));
  h.open();
  h.op().on_alignment_limit("group", 10);
  for (int i = 0; i < 3; ++i) h.poll_once();
  CHECK_FALSE(h.op().is_busy());
  h.pass_time(200ms);
  CHECK(h.op().is_busy());  // as a whole
  CHECK(first->log->paused.empty());

  h.op().on_alignment_limit("group", 1150);
  CHECK_FALSE(h.op().is_busy());
  for (int i = 0; i < 24; ++i) h.poll_once();
  REQUIRE(second->log->given.size() == 2);
  h.pass_time(200ms);
  h.poll_once();
  h.take();
  for (int i = 0; i < 10; ++i) h.poll_once();
  const auto got = h.take();
  CHECK(got.size() == 10);
  for (const auto& m : got) CHECK(m.split == "slow");
  CHECK(second->log->paused == std::vector<std::set<std::string>>{{"fast"}});
  CHECK_FALSE(h.op().is_busy());
  h.op().on_alignment_limit("group", 10);
  CHECK(h.op().is_busy());
}

TEST_CASE("a source that never ends can only be the last of a hybrid source") {
  class endless final : public source_base<mark> {
   public:
    boundedness ends() const noexcept override { return boundedness::unbounded; }
    std::unique_ptr<source_reader_base<mark>> make_reader(reader_context&) const override {
      return nullptr;
    }
    std::unique_ptr<split_enumerator_base> make_enumerator(enumerator_context&) const override {
      return nullptr;
    }
    std::unique_ptr<split_enumerator_base> remake_enumerator(enumerator_context&,
                                                             byte_view) const override {
      return nullptr;
    }
  };
  hybrid_source<mark> hybrid(marks({}));
  CHECK(hybrid.ends() == boundedness::bounded);
  hybrid.then(std::make_shared<endless>());
  CHECK(hybrid.ends() == boundedness::unbounded);
  CHECK_THROWS_WITH_AS(hybrid.then(marks({})),
                       "a hybrid source goes on when a source has ended, but the one before this "
                       "never does",
                       failure);
}

TEST_CASE("a snapshot of more sources than there are is refused") {
  const auto source = history_and_more();
  harness before(source);
  before.open();
  before.poll_all();
  const auto snapshot = before.checkpoint_coordinator({1});
  test::memory_files disk;
  test::virtual_clock watch;
  test::coordinator_world world(disk, watch, 1);
  source_coordinator other(std::make_shared<hybrid_source<mark>>(marks({})), world);
  CHECK(other.restore(snapshot).error().message ==
        "the snapshot is of a hybrid source of at least 2 sources, but now there are 1");
}

namespace {

using words = std::vector<std::string>;

/// The coordinator of a hybrid source with two readers, which the test speaks for.
struct two_readers {
  using kind = hybrid_enumerator_message::kind;

  explicit two_readers(std::shared_ptr<const hybrid_source<mark>> source = history_and_more())
      : coordinator(std::move(source), world) {}

  test::memory_files disk;
  test::virtual_clock watch;
  test::coordinator_world world{disk, watch, 2};
  source_coordinator coordinator;

  void say(std::uint32_t subtask, const hybrid_enumerator_message& message) {
    coordinator.on_event(subtask, encode_message(enumerator_message{enumerator_message::kind::event,
                                                                    encode_message(message)}));
  }
  void say(std::uint32_t subtask, kind what) { say(subtask, {what, 0, std::nullopt, {}}); }

  /// What a reader was told since the last call: "switch 0", "splits h1", "no more 0"
  words heard(std::uint32_t whom) {
    words all;
    for (const auto& [subtask, event] : std::exchange(world.sent, {})) {
      if (subtask != whom) continue;
      const auto message = decode_reader_message(event);
      std::string splits;
      for (const auto& split : message.splits) splits += " " + split.id;
      if (!splits.empty()) all.push_back("splits" + splits);
      if (message.what != reader_message::kind::event) continue;
      const auto inner = decode_hybrid_reader_message(message.event);
      all.push_back(
          (inner.what == hybrid_reader_message::kind::switch_to ? "switch " : "no more ") +
          std::to_string(inner.index));
    }
    return all;
  }
};

}  // namespace

TEST_CASE_FIXTURE(
    two_readers,
    "a reader that goes back to before the switch is led through what it had, then onwards") {
  coordinator.start();
  for (const std::uint32_t s : {0u, 1u}) {
    coordinator.on_subtask_ready(s);
    say(s, {kind::hello, 0, std::nullopt, {}});
  }
  say(0, {kind::split_request, 0, std::nullopt, {}});
  CHECK(heard(0) == words{"switch 0", "splits h1"});
  coordinator.snapshot({1});
  say(0, {kind::split_request, 0, std::nullopt, {}});
  say(0, {kind::split_request, 0, std::nullopt, {}});
  CHECK(heard(0) == words{"splits h2", "no more 0"});
  say(1, {kind::finished, 0, std::nullopt, {}});
  CHECK(heard(0).empty());
  say(0, {kind::finished, 0, std::nullopt, {}});
  CHECK(heard(0) == words{"switch 1", "splits after 0", "no more 1"});

  // It fails and goes back to the checkpoint in which it has the first split of history.
  coordinator.on_subtask_failed(0, {1});
  coordinator.on_subtask_ready(0);
  say(0, {kind::hello, 0, 0, {}});
  CHECK(heard(0) == words{"switch 0", "splits h2", "no more 0"});
  say(0, {kind::finished, 0, std::nullopt, {}});
  CHECK(heard(0) == words{"switch 1", "splits after 0", "no more 1"});
}

TEST_CASE("a reader that has splits of several sources is led through all of them") {
  const auto three = std::make_shared<hybrid_source<mark>>(marks({{"a", 0, 1, 1}}));
  three->then(marks({{"b", 10, 1, 1}})).then(marks({{"c", 20, 1, 1}}));
  two_readers all(three);
  using kind = two_readers::kind;
  all.coordinator.start();
  for (const std::uint32_t s : {0u, 1u}) {
    all.coordinator.on_subtask_ready(s);
    all.say(s, kind::hello);
  }
  for (const std::uint32_t source : {0u, 1u})
    for (const std::uint32_t s : {0u, 1u}) {
      all.say(s, {kind::split_request, source, std::nullopt, {}});
      all.say(s, {kind::finished, source, std::nullopt, {}});
    }
  CHECK(all.heard(0).back() == "switch 2");
  all.coordinator.snapshot({1});

  // As after a change of parallelism, it goes back to what several readers had.
  all.coordinator.on_subtask_failed(0, {1});
  all.coordinator.on_subtask_ready(0);
  all.say(0, {kind::hello, 0, 0, {}});
  CHECK(all.heard(0) == words{"switch 0", "no more 0"});
  all.say(0, {kind::finished, 0, 1, {}});
  CHECK(all.heard(0) == words{"switch 1", "no more 1"});
  all.say(0, {kind::finished, 1, std::nullopt, {}});
  CHECK(all.heard(0) == words{"switch 2"});
}

TEST_CASE_FIXTURE(
    two_readers,
    "the next source does not begin before a reader that was lost has read its own again") {
  const auto has_begun_the_next = [&] {
    for (const auto& [subtask, event] : std::exchange(world.sent, {})) {
      const auto message = decode_reader_message(event);
      if (message.what != reader_message::kind::event) continue;
      const auto inner = decode_hybrid_reader_message(message.event);
      if (inner.what == hybrid_reader_message::kind::switch_to && inner.index == 1) return true;
    }
    return false;
  };
  coordinator.start();
  for (const std::uint32_t s : {0u, 1u}) {
    coordinator.on_subtask_ready(s);
    say(s, kind::hello);
    say(s, kind::split_request);
  }
  coordinator.snapshot({1});  // both splits are in it
  coordinator.on_checkpoint_complete({1});
  say(0, kind::finished);
  coordinator.on_subtask_gone(0);
  SUBCASE("while it waits for its restart") {}
  SUBCASE("when nothing was assigned since the checkpoint that it goes back to") {
    coordinator.on_subtask_failed(0, {1});
  }
  say(1, kind::finished);
  CHECK_FALSE(has_begun_the_next());
  coordinator.on_subtask_failed(0, {1});
  coordinator.on_subtask_ready(0);
  say(0, kind::hello);
  CHECK_FALSE(has_begun_the_next());
  say(0, kind::finished);
  CHECK(has_begun_the_next());
}

}  // namespace hybrid_source_test
