#include <doctest/doctest.h>

#include "source/scripted_source.hpp"
#include "support/source_harness.hpp"

namespace source_operator_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::mark;
using test::mark_source;
using test::mark_split;
using harness = test::source_harness<mark>;

namespace {

using strategy = watermark_strategy<mark>;

strategy by_time() {
  return strategy::for_monotonous_timestamps().with_timestamp_assigner(&mark::at);
}

runtime_context::identity subtask(std::uint32_t index, std::uint32_t parallelism) {
  runtime_context::identity self;
  self.subtask_index = index;
  self.parallelism = parallelism;
  return self;
}

std::shared_ptr<mark_source> dealt(std::vector<mark_split> splits, bool pauses = true) {
  return std::make_shared<mark_source>(std::move(splits), false, pauses);
}

}  // namespace

TEST_CASE("a reader asks for splits until there are none and ends") {
  const auto source =
      std::make_shared<mark_source>(std::vector<mark_split>{{"a", 1, 1, 2}, {"b", 10, 10, 3}});
  harness h(source);
  h.open();
  CHECK(h.poll_all() == poll_status::finished);
  CHECK(h.take() == std::vector<mark>{{1, "a"}, {2, "a"}, {10, "b"}, {20, "b"}, {30, "b"}});
  CHECK(source->log->given == std::vector<std::string>{"a", "b"});
  CHECK(h.timestamps().empty());
}

TEST_CASE("a restored reader goes on behind the last record that it emitted") {
  const auto source = dealt({{"a", 0, 1, 4}, {"b", 100, 1, 4}});
  harness before(source);
  before.open();
  for (int i = 0; i < 3; ++i) before.poll_once();
  CHECK(before.take() == std::vector<mark>{{100, "b"}, {0, "a"}, {101, "b"}});
  const auto enumerator = before.checkpoint_coordinator({1});
  const auto saved = before.checkpoint({1});

  harness after(source);
  after.restore(saved, enumerator);
  after.open();
  CHECK(after.poll_all() == poll_status::finished);
  auto rest = after.take();
  std::sort(rest.begin(), rest.end(), [](auto& a, auto& b) { return a.at < b.at; });
  CHECK(rest == std::vector<mark>{{1, "a"}, {2, "a"}, {3, "a"}, {102, "b"}, {103, "b"}});
}

TEST_CASE("splits are dealt out anew when the parallelism changes") {
  const auto source = dealt({{"a", 0, 1, 9}, {"b", 0, 1, 9}, {"c", 0, 1, 9}});
  harness before(source);
  before.open();
  for (int i = 0; i < 4; ++i) before.poll_once();
  const auto enumerator = before.checkpoint_coordinator({1});
  const auto parts = redistribute({before.checkpoint({1})}, 2);
  REQUIRE(parts);
  std::map<std::string, std::size_t> records;
  for (const auto& emitted : before.take()) ++records[emitted.split];
  for (std::uint32_t s = 0; s < 2; ++s) {
    harness after(source, subtask(s, 2));
    after.restore((*parts)[s], enumerator);
    after.open();
    CHECK(after.poll_all() == poll_status::finished);
    for (const auto& emitted : after.take()) ++records[emitted.split];
  }
  CHECK(records == std::map<std::string, std::size_t>{{"a", 9}, {"b", 9}, {"c", 9}});
}

TEST_CASE("splits of another source than the one that was saved are refused") {
  harness before(dealt({{"a", 0, 1, 4}}));
  before.open();
  before.poll_once();
  auto saved = before.checkpoint({1});
  REQUIRE(saved.size() == 1);
  auto split = decode_bytes<encoded_split>(saved[0].elements.at(0)).value();
  split.type ^= 1;
  saved[0].elements[0] = encode_to_bytes(split);
  harness after(dealt({{"a", 0, 1, 4}}));
  after.restore(saved, before.checkpoint_coordinator({1}));
  CHECK_THROWS_WITH_AS(after.open(), doctest::Contains("split 'a' was saved as another type than "),
                       failure);
}

TEST_CASE("a source's own events go to the reader and back") {
  /// Greets each reader.
  class greeter final : public split_enumerator<mark_split, std::int32_t> {
   public:
    greeter(enumerator_context& context, std::vector<std::string>& answers)
        : split_enumerator(context), answers_(answers) {}
    void add_reader(std::uint32_t subtask) override {
      context().send_event(subtask, encode_to_bytes(std::string("hello")));
    }
    void handle_event(std::uint32_t, byte_view event) override {
      answers_.push_back(decode_bytes<std::string>(event).value());
    }
    void add_splits_back(std::vector<mark_split>, std::uint32_t) override {}
    std::int32_t snapshot(checkpoint_id) override { return 0; }

   private:
    std::vector<std::string>& answers_;
  };
  class greeting_source final : public source<mark, mark_split, std::int32_t> {
   public:
    boundedness ends() const noexcept override { return boundedness::unbounded; }
    std::unique_ptr<source_reader<mark, mark_split>> create_reader(
        reader_context& context) const override {
      return std::make_unique<test::mark_reader>(context, log, false, false);
    }
    std::unique_ptr<split_enumerator<mark_split, std::int32_t>> create_enumerator(
        enumerator_context& context) const override {
      return std::make_unique<greeter>(context, *answers);
    }
    std::unique_ptr<split_enumerator<mark_split, std::int32_t>> restore_enumerator(
        enumerator_context& context, std::int32_t) const override {
      return create_enumerator(context);
    }
    std::shared_ptr<test::mark_log> log = std::make_shared<test::mark_log>();
    std::shared_ptr<std::vector<std::string>> answers =
        std::make_shared<std::vector<std::string>>();
  };
  const auto source = std::make_shared<greeting_source>();
  harness h(source);
  h.open();
  CHECK(h.poll_all() == poll_status::idle);
  CHECK(source->log->events == std::vector<std::string>{"hello"});
  CHECK(*source->answers == std::vector<std::string>{"hello back"});
}

// -- event time -----------------------------------------------------------------------------------

TEST_CASE("a reader is as far as the slowest of its splits, and no record of any is late") {
  const auto source = dealt({{"fast", 0, 100, 50}, {"slow", 0, 1, 50}});
  harness h(source, by_time());
  h.open();
  for (int i = 0; i < 40; ++i) h.poll_once();
  h.pass_time(200ms);
  CHECK(h.watermarks() == std::vector<timestamp_ms>{18});
  CHECK(h.take().size() == 40);
  CHECK(h.poll_all() == poll_status::finished);
  CHECK(h.watermarks().back() == 1899);  // once the slow one had ended
}

TEST_CASE("a split that was read to its end holds back nobody") {
  harness h(dealt({{"short", 0, 1, 1}, {"long", 1000, 1, 50}}), by_time());
  h.open();
  for (int i = 0; i < 20; ++i) h.poll_once();
  h.pass_time(200ms);
  CHECK(h.watermarks() == std::vector<timestamp_ms>{1017});
}

TEST_CASE("a watermark after each record comes between the records of a batch") {
  struct punctuated {
    void on_event(const mark& m, timestamp_ms at, watermark_output& out) {
      if (m.at % 2 == 0) out.emit_watermark(at);
    }
    void on_periodic_emit(watermark_output&) {}
  };
  harness h(dealt({{"a", 0, 1, 5}}),
            strategy::for_generator(punctuated{}).with_timestamp_assigner(&mark::at));
  h.open();
  CHECK(h.poll_all() == poll_status::finished);
  CHECK(h.timestamps() == timestamp_column{0, 1, 2, 3, 4});
  CHECK(h.watermarks() == std::vector<timestamp_ms>{0, 2, 4});
}

TEST_CASE("a reader without splits falls idle if the strategy has idleness") {
  harness h(dealt({}), by_time().with_idleness(1s));
  h.open();
  h.pass_time(900ms);
  CHECK(h.statuses().empty());
  h.pass_time(400ms);
  CHECK(h.statuses() == std::vector<stream_status>{stream_status::idle});
}

TEST_CASE("splits that are ahead of their alignment group are paused, the others read on") {
  const auto source = dealt({{"fast", 0, 100, 50}, {"slow", 0, 1, 50}});
  harness h(source, by_time().with_watermark_alignment("group", 50ms, 1s));
  h.open();
  h.op().on_alignment_limit("group", 150);
  for (int i = 0; i < 20; ++i) h.poll_once();
  h.pass_time(200ms);  // the fast one has come to 900
  h.take();
  for (int i = 0; i < 10; ++i) h.poll_once();
  for (const auto& emitted : h.take()) CHECK(emitted.split == "slow");
  CHECK(source->log->paused == std::vector<std::set<std::string>>{{"fast"}});
  CHECK_FALSE(h.op().is_busy());
  h.pass_time(1s);
  REQUIRE(h.alignment_reports().size() == 1);
  CHECK(h.alignment_reports()[0].watermark == 18);

  h.op().on_alignment_limit("group", 10);
  CHECK(h.op().is_busy());
  h.op().on_alignment_limit("another group", 5000);
  CHECK(h.op().is_busy());
  h.op().on_alignment_limit("group", 5000);
  CHECK_FALSE(h.op().is_busy());
  CHECK(source->log->paused.back().empty());
}

TEST_CASE("a reader that can't pause splits waits as a whole, for the slowest of them") {
  harness h(dealt({{"fast", 0, 100, 50}, {"slow", 0, 1, 50}}, false),
            by_time().with_watermark_alignment("group", 5ms, 1s));
  h.open();
  h.op().on_alignment_limit("group", 10);
  for (int i = 0; i < 20; ++i) h.poll_once();
  h.pass_time(200ms);
  CHECK_FALSE(h.op().is_busy());
  for (int i = 0; i < 10; ++i) h.poll_once();
  h.pass_time(200ms);
  CHECK(h.op().is_busy());
}

TEST_CASE("in batch mode a reader has no watermark, and nothing waits for others") {
  auto self = subtask(0, 1);
  self.mode = runtime_mode::batch;
  harness h(dealt({{"fast", 0, 100, 50}, {"slow", 0, 1, 50}}),
            by_time().with_idleness(1s).with_watermark_alignment("group", 5ms, 1s), self);
  h.open();
  h.op().on_alignment_limit("group", 10);
  for (int i = 0; i < 20; ++i) h.poll_once();
  h.pass_time(5s);
  CHECK_FALSE(h.op().is_busy());
  CHECK(h.timestamps().size() == 20);
  CHECK(h.timestamps().back() != no_timestamp);
  CHECK(h.watermarks().empty());
  CHECK(h.statuses().empty());
  CHECK(h.alignment_reports().empty());
  CHECK(h.poll_all() == poll_status::finished);
}

TEST_CASE("records must say of which split they are if event time depends on it") {
  class nameless final : public source_reader<mark, mark_split> {
   public:
    poll_status poll(source_output<mark>& out) override {
      if (begins) out.begin_split("nobody's");
      out.emit({1, "a"});
      return poll_status::more;
    }
    void add_splits(std::vector<mark_split>) override {}
    void no_more_splits() override {}
    std::vector<mark_split> snapshot(checkpoint_id) override { return {}; }
    bool begins = false;
  };
  class nameless_source final : public source<mark, mark_split> {
   public:
    boundedness ends() const noexcept override { return boundedness::bounded; }
    std::unique_ptr<source_reader<mark, mark_split>> create_reader(reader_context&) const override {
      auto reader = std::make_unique<nameless>();
      reader->begins = begins;
      return reader;
    }
    using enumerator = split_enumerator<mark_split, std::vector<mark_split>>;
    std::unique_ptr<enumerator> create_enumerator(enumerator_context& context) const override {
      return restore_enumerator(context, {});
    }
    std::unique_ptr<enumerator> restore_enumerator(enumerator_context& context,
                                                   std::vector<mark_split> state) const override {
      return std::make_unique<dealt_splits<mark_split>>(context, std::move(state));
    }
    bool begins = false;
  };
  const auto source = std::make_shared<nameless_source>();
  SUBCASE("at all") {
    harness h(source, by_time());
    h.open();
    CHECK_THROWS_WITH_AS(h.poll_once(),
                         "the source's reader emits records without saying of which split: call "
                         "begin_split first",
                         failure);
  }
  SUBCASE("one that there is") {
    source->begins = true;
    harness h(source, by_time());
    h.open();
    CHECK_THROWS_WITH_AS(h.poll_once(),
                         "the source's reader begins split 'nobody's', which it was not given",
                         failure);
  }
}

}  // namespace source_operator_test
