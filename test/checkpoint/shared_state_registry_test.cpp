#include "millrace/checkpoint/shared_state_registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace shared_state_registry_test {

using namespace millrace;
using removal = shared_state_registry::removal;
using names = std::vector<std::string>;

namespace {

constexpr checkpoint_id one{1}, two{2}, three{3}, four{4}, five{5}, six{6};

}  // namespace

TEST_CASE("a shared file goes with the last checkpoint that has it") {
  shared_state_registry registry;
  registry.begin(one, {});
  CHECK(registry.complete(one, {"1/a", "1/b"}) == removal{});
  registry.begin(two, one);
  CHECK(registry.complete(two, {"1/a", "2/c"}) == removal{});
  CHECK(registry.drop(one) == removal{{}, {"1/b"}});
  registry.begin(three, two);
  CHECK(registry.complete(three, {"2/c", "3/d"}) == removal{});
  CHECK(registry.drop(two) == removal{{one}, {}});
  CHECK(registry.drop(three) == removal{{two, three}, {}});
}

TEST_CASE("a checkpoint that shares nothing leaves no directory") {
  shared_state_registry registry;
  registry.begin(one, {});
  CHECK(registry.complete(one, {}) == removal{{one}, {}});
  CHECK(registry.drop(one) == removal{{one}, {}});
}

TEST_CASE("an aborted checkpoint takes what it has stored along, and nothing of its base") {
  shared_state_registry registry;
  registry.begin(one, {});
  registry.complete(one, {"1/a"});
  registry.begin(two, one);
  CHECK(registry.drop(two) == removal{{two}, {}});
  registry.begin(three, one);
  CHECK(registry.complete(three, {"1/a"}) == removal{{three}, {}});
  CHECK(registry.drop(two) == removal{});
}

TEST_CASE("a base that is dropped stays until those that began upon it have ended") {
  shared_state_registry registry;
  registry.begin(one, {});
  registry.complete(one, {"1/a", "1/b"});
  registry.begin(two, one);
  registry.begin(three, one);  // two at once
  registry.complete(two, {"2/c"});
  CHECK(registry.drop(one) == removal{});  // three may still refer to it
  SUBCASE("and does") {
    CHECK(registry.complete(three, {"1/a", "3/d"}) == removal{{}, {"1/b"}});
    CHECK(registry.drop(two) == removal{{two}, {}});
    CHECK(registry.drop(three) == removal{{one, three}, {}});
  }
  SUBCASE("and does not") {
    CHECK(registry.complete(three, {"3/d"}) == removal{{one}, {}});
  }
  SUBCASE("and is aborted") {
    CHECK(registry.drop(three) == removal{{one, three}, {}});
  }
}

TEST_CASE("checkpoints may end out of order") {
  shared_state_registry registry;
  registry.begin(one, {});
  registry.complete(one, {"1/a"});
  registry.begin(two, one);
  registry.begin(three, one);
  CHECK(registry.complete(three, {"1/a", "3/c"}) == removal{});
  CHECK(registry.drop(two) == removal{{two}, {}});  // subsumed
  CHECK(registry.drop(one) == removal{});
  CHECK(registry.drop(three) == removal{{one, three}, {}});
}

TEST_CASE("another master counts what the metadata say") {
  shared_state_registry registry;
  registry.recover(two, {"1/a", "2/b"});
  registry.recover(three, {"1/a", "3/c"});
  registry.begin(four, three);
  CHECK(registry.drop(two) == removal{{two}, {}});
  CHECK(registry.complete(four, {"3/c"}) == removal{{four}, {}});
  CHECK(registry.drop(three) == removal{{one}, {}});
}

TEST_CASE("nothing that somebody may have is removed when it is not known who has what") {
  shared_state_registry registry;
  registry.recover(two, {"1/a"});
  registry.lose_track_of(one);
  registry.begin(three, two);
  CHECK(registry.complete(three, {"1/a", "3/b"}) == removal{});
  CHECK(registry.drop(two) == removal{});
  registry.begin(four, three);
  CHECK(registry.drop(four) == removal{{four}, {}});  // it was never complete
  registry.begin(five, three);
  CHECK(registry.complete(five, {"5/c"}) == removal{});
  CHECK(registry.drop(one) == removal{});
  CHECK(registry.drop(three) == removal{{one, three}, {}});
  registry.begin(six, five);
  CHECK(registry.complete(six, {"5/c"}) == removal{{six}, {}});
}

TEST_CASE("a checkpoint that was given up keeps what it is known to have, and nothing else") {
  shared_state_registry registry;
  registry.recover(one, {"1/a"});
  registry.recover(two, {"1/a", "2/b"});
  registry.lose_track_of(three);
  registry.give_up(three);
  registry.begin(four, two);
  CHECK(registry.complete(four, {"1/a", "4/d"}) == removal{});
  registry.give_up(two);
  CHECK(registry.drop(one) == removal{});
  registry.begin(five, four);
  CHECK(registry.complete(five, {"5/e"}) == removal{});
  CHECK(registry.drop(four) == removal{{four}, {}});
}

TEST_CASE("at random, what is needed is there and nothing else stays") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    shared_state_registry registry;
    std::set<std::string> disk;
    std::map<checkpoint_id, std::set<std::string>> complete;
    std::map<checkpoint_id, std::set<std::string>> pending;  // what each may have
    std::map<checkpoint_id, std::set<std::string>> stored;   // what pending ones have stored
    const auto remove = [&](const removal& what) {
      for (const auto& file : what.files) CHECK(disk.erase(file) == 1);
      for (const auto& directory : what.directories) {
        const auto prefix = std::to_string(directory.number) + "/";
        std::erase_if(disk, [&](const auto& file) { return file.starts_with(prefix); });
      }
    };
    checkpoint_id last;
    for (int step = 0; step < 200; ++step) {
      const auto which = random() % 4;
      if (which == 0 && pending.size() < 4) {
        const auto base = complete.empty() ? checkpoint_id{} : complete.rbegin()->first;
        ++last.number;
        registry.begin(last, base);
        pending[last] = base ? complete[base] : std::set<std::string>();
        stored[last] = {};
      } else if (which == 1 && !pending.empty()) {  // a task stores something
        const auto id = std::next(pending.begin(), random() % pending.size())->first;
        const auto file = std::to_string(id.number) + "/" + std::to_string(random() % 5);
        disk.insert(file);
        stored[id].insert(file);
      } else if (which == 2 && !pending.empty()) {
        const auto id = std::next(pending.begin(), random() % pending.size())->first;
        auto files = stored[id];
        if (random() % 3 == 0 || (!complete.empty() && id < complete.rbegin()->first)) {
          remove(registry.drop(id));  // aborted, or subsumed
        } else {
          for (const auto& file : pending[id])
            if (random() % 2 == 0) files.insert(file);
          remove(registry.complete(id, {files.begin(), files.end()}));
          complete[id] = files;
        }
        pending.erase(id);
        stored.erase(id);
      } else if (complete.size() > 1 + random() % 2) {
        const auto oldest = complete.begin()->first;
        complete.erase(oldest);
        remove(registry.drop(oldest));
      }
      std::set<std::string> needed;
      for (const auto& [id, files] : complete) needed.insert(files.begin(), files.end());
      for (const auto& [id, files] : stored) needed.insert(files.begin(), files.end());
      auto allowed = needed;
      for (const auto& [id, files] : pending) allowed.insert(files.begin(), files.end());
      for (const auto& [id, files] : pending) needed.insert(files.begin(), files.end());
      CHECK(std::ranges::includes(disk, needed));
      CHECK(std::ranges::includes(allowed, disk));
    }
    while (!pending.empty()) {
      remove(registry.drop(pending.begin()->first));
      pending.erase(pending.begin());
    }
    for (; !complete.empty(); complete.erase(complete.begin()))
      remove(registry.drop(complete.begin()->first));
    CHECK(disk.empty());
  }
}

}  // namespace shared_state_registry_test
