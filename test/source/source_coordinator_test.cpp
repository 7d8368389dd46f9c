#include "millrace/source/source_coordinator.hpp"

#include <doctest/doctest.h>

#include "millrace/source/source_messages.hpp"
#include "source/scripted_source.hpp"
#include "support/source_harness.hpp"

namespace source_coordinator_test {

using namespace millrace;
using test::mark_source;
using test::mark_split;

namespace {

std::vector<mark_split> three_splits() {
  return {{"a", 0, 1, 5}, {"b", 0, 1, 5}, {"c", 0, 1, 5}};
}

/// A source's coordinator, and what it says to which reader: "2 splits a b", "0 no more".
struct coordinated {
  explicit coordinated(std::shared_ptr<const enumerator_factory> source, std::uint32_t parallelism,
                       const std::vector<std::byte>* snapshot = nullptr)
      : world(disk, watch, parallelism), coordinator(std::move(source), world) {
    if (snapshot != nullptr) REQUIRE(coordinator.restore(*snapshot));
    coordinator.start();
  }

  void request(std::uint32_t subtask) {
    coordinator.on_event(
        subtask, encode_message(enumerator_message{enumerator_message::kind::split_request, {}}));
  }
  std::vector<std::string> said() {
    std::vector<std::string> all;
    for (const auto& [subtask, event] : std::exchange(world.sent, {})) {
      const auto message = decode_reader_message(event);
      auto text = std::to_string(subtask);
      if (message.what == reader_message::kind::no_more_splits) text += " no more";
      if (message.what == reader_message::kind::splits) text += " splits";
      for (const auto& split : message.splits) text += " " + split.id;
      all.push_back(std::move(text));
    }
    return all;
  }

  test::memory_files disk;
  test::virtual_clock watch;
  test::coordinator_world world;
  source_coordinator coordinator;
};

using words = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "queued splits go one by one to whoever asks, then readers are told that there are none") {
  coordinated c(std::make_shared<mark_source>(three_splits()), 2);
  c.coordinator.on_subtask_ready(0);
  c.coordinator.on_subtask_ready(1);
  c.request(1);
  c.request(1);
  c.request(0);
  c.request(1);
  CHECK(c.said() == words{"1 splits a", "1 splits b", "0 splits c", "1 no more"});
}

TEST_CASE("dealt splits are each subtask's share, whenever it comes") {
  coordinated c(std::make_shared<mark_source>(three_splits(), false), 2);
  c.coordinator.on_subtask_ready(1);
  c.coordinator.on_subtask_ready(0);
  CHECK(c.said() == words{"1 splits b", "1 no more", "0 splits a c", "0 no more"});
}

TEST_CASE("a split for a reader that is not there stays with the enumerator") {
  coordinated c(std::make_shared<mark_source>(three_splits()), 2);
  c.request(0);
  CHECK(c.said().empty());
  c.coordinator.on_subtask_ready(0);
  c.request(0);
  CHECK(c.said() == words{"0 splits a"});
}

TEST_CASE("splits that a failed reader had since its checkpoint are given again") {
  coordinated c(std::make_shared<mark_source>(three_splits()), 2);
  c.coordinator.on_subtask_ready(0);
  c.coordinator.on_subtask_ready(1);
  c.request(0);
  c.coordinator.snapshot({1});
  c.request(0);
  c.said();
  SUBCASE("the checkpoint holds the first") {
    c.coordinator.on_subtask_failed(0, {1});
    c.request(1);
    c.request(1);
    c.request(1);
    CHECK(c.said() == words{"1 splits b", "1 splits c", "1 no more"});
  }
  SUBCASE("there was no checkpoint") {
    c.coordinator.on_subtask_failed(0, {});
    c.request(0);  // an event of the attempt that is gone
    c.request(1);
    CHECK(c.said() == words{"1 splits a"});
    c.coordinator.on_subtask_ready(0);
    c.request(0);
    CHECK(c.said() == words{"0 splits b"});
  }
}

TEST_CASE("the snapshot of an enumerator has what no reader has") {
  const auto source = std::make_shared<mark_source>(three_splits());
  coordinated before(source, 2);
  before.coordinator.on_subtask_ready(0);
  before.request(0);
  const auto snapshot = before.coordinator.snapshot({1});

  coordinated after(source, 3, &snapshot);
  after.coordinator.on_subtask_ready(2);
  after.request(2);
  after.request(2);
  after.request(2);
  CHECK(after.said() == words{"2 splits b", "2 splits c", "2 no more"});
}

TEST_CASE("a snapshot that is of another source or version, or damaged, is refused") {
  const auto source = std::make_shared<mark_source>(three_splits());
  coordinated c(source, 1);
  auto snapshot = c.coordinator.snapshot({1});
  const auto refusal = [&](byte_view bytes) {
    test::coordinator_world world(c.disk, c.watch, 1);
    source_coordinator other(source, world);
    return other.restore(bytes).error().message;
  };
  CHECK(refusal({}) == "the snapshot of its enumerator is malformed");
  CHECK(refusal(byte_view(snapshot).first(snapshot.size() - 1)) ==
        "the enumerator's state in the snapshot is malformed");
  auto other_type = snapshot;
  other_type[5] ^= std::byte{1};
  CHECK(refusal(other_type).starts_with("the enumerator's state was saved as another type than "));
  snapshot[0] = std::byte{9};
  CHECK(refusal(snapshot) ==
        "the snapshot of its enumerator is of version 9, this engine knows version 1");
}

TEST_CASE("events that are none are refused") {
  coordinated c(std::make_shared<mark_source>(three_splits()), 1);
  c.coordinator.on_subtask_ready(0);
  CHECK_THROWS_AS(c.coordinator.on_event(0, {}), failure);
  const std::vector<std::byte> unknown{std::byte{9}, std::byte{0}};
  CHECK_THROWS_WITH_AS(c.coordinator.on_event(0, unknown),
                       "an event of the source's reader is malformed: unknown kind", failure);
}

}  // namespace source_coordinator_test
