#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "millrace/core/hash.hpp"
#include "millrace/state/keyed_table.hpp"

namespace keyed_table_test {

using namespace millrace;

TEST_CASE("a keyed table agrees with a map") {
  for (const std::uint32_t parallelism : {1u, 3u}) {
    const auto range = key_group_range_of(0, 128, parallelism);
    keyed_table<std::string, std::int64_t> table(range, 128);
    std::map<std::string, std::int64_t> reference;
    std::mt19937_64 random(7);
    for (int i = 0; i < 50'000; ++i) {
      const auto key = "key " + std::to_string(random() % 5000);
      const auto hash = key_hash(key);
      if (!range.contains(key_group_of(hash, 128))) continue;
      auto [value, is_new] = table.find_or_make(hash, key, [] { return std::int64_t{0}; });
      CHECK(is_new == !reference.contains(key));
      value += i;
      reference[key] += i;
    }
    REQUIRE(table.size() == reference.size());
    for (const auto& [key, value] : reference) {
      const auto* found = table.find(key_hash(key), key);
      REQUIRE(found != nullptr);
      CHECK(*found == value);
    }
    if (parallelism == 1) CHECK(table.find(key_hash(std::string("no key")), "no key") == nullptr);
  }
}

TEST_CASE("a key group's entries are enumerated in the order of insertion") {
  keyed_table<std::int64_t, int> table({32, 63}, 128);
  std::map<std::uint32_t, std::vector<std::int64_t>> order;
  for (std::int64_t key = 0; key < 2000; ++key) {
    const auto group = key_group_of(key_hash(key), 128);
    if (group < 32 || group > 63) continue;
    table.find_or_make(key_hash(key), key, [] { return 1; });
    order[group].push_back(key);
  }
  for (std::uint32_t offset = 0; offset < table.group_count(); ++offset) {
    std::vector<std::int64_t> keys;
    for (const auto& entry : table.entries_of(offset)) keys.push_back(entry.key);
    CHECK(keys == order[table.first_group() + offset]);
  }
}

TEST_CASE("room that was made for keys is used before anything moves") {
  for (const std::size_t before : {0, 1, 500}) {
    CAPTURE(before);
    keyed_table<std::int64_t, std::int64_t> table({0, 0}, 1);
    std::int64_t key = 0;
    const auto add = [&](std::size_t count) {
      for (const auto end = key + static_cast<std::int64_t>(count); key < end; ++key)
        table.find_or_make(key_hash(key), key, [&] { return key; });
    };
    add(before);
    table.reserve(0, 0);
    table.reserve(0, 1000);
    const auto* first = table.entries_of(0).data();
    add(1100);  // and some more
    CHECK(table.entries_of(0).data() == first);
    CHECK(table.size() == before + 1100);
    for (std::int64_t each = 0; each < key; ++each) {
      REQUIRE(table.find(key_hash(each), each) != nullptr);
      CHECK(*table.find(key_hash(each), each) == each);
    }
  }
}

TEST_CASE("keys whose hashes collide stay apart") {
  keyed_table<int, int> table({0, 0}, 1);
  for (int key = 0; key < 100; ++key) table.find_or_make(42, key, [&] { return key; });
  CHECK(table.size() == 100);
  for (int key = 0; key < 100; ++key) CHECK(*table.find(42, key) == key);
}

TEST_CASE("keys are found and forgotten where probes go round the end of the index") {
  const auto hash_of = [](std::uint32_t key) { return std::uint64_t{key}; };
  keyed_table<std::uint32_t, std::uint32_t> table({0, 0}, 1);
  // All begin at the last slots, whatever the size of the index.
  std::vector<std::uint32_t> keys;
  for (std::uint32_t i = 0; i < 40; ++i) keys.push_back(0xFFFFFFFFu - i % 3 - i / 3 * 0x10000u);
  for (int round = 0; round < 3; ++round) {
    for (const auto key : keys)
      CHECK(table.find_or_make(key, key, [&] { return key; }).first == key);
    for (std::size_t i = 0; i < keys.size(); i += 2) CHECK(table.erase(keys[i], keys[i], hash_of));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto* found = table.find(keys[i], keys[i]);
      REQUIRE((found != nullptr) == (i % 2 == 1));
      if (found != nullptr) CHECK(*found == keys[i]);
    }
  }
}

TEST_CASE("NaN is one key, and aggregates need no comparison of their own") {
  struct place {
    std::string city;
    double height;
  };
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(same_key(nan, nan));
  CHECK(same_key(-0.0, 0.0));
  CHECK(same_key(place{"a", nan}, place{"a", nan}));
  CHECK(!same_key(place{"a", 1}, place{"b", 1}));
  CHECK(same_key(std::tuple(1, nan), std::tuple(1, nan)));
}

TEST_CASE("texts are the same key if they have the same length and bytes, wherever they lie") {
  for (std::size_t length = 0; length < 40; ++length) {
    std::string text(length, 'a');
    for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + i % 26);
    std::string with_room = text;
    with_room.reserve(200);
    std::string was_longer = text + "what once was behind it, and still lies there";
    was_longer.resize(length);
    for (const auto* other : {&text, &with_room, &was_longer}) {
      CHECK(same_key(text, *other));
      CHECK(same_key(*other, text));
    }
    CHECK(!same_key(text, text + std::string(1, '\0')));
    CHECK(!same_key(text + "x", text));
    for (std::size_t i = 0; i < length; ++i) {
      for (auto* kept : {&with_room, &was_longer}) {
        std::string differs = *kept;
        differs[i] = '\0';
        CHECK(!same_key(text, differs));
        CHECK(!same_key(differs, text));
      }
    }
  }
}

TEST_CASE("a key that lies in a record hashes and compares as the one that is kept") {
  const std::string shop = "a shop whose name is too long to lie inside its object";
  const double place = std::numeric_limits<double>::quiet_NaN();
  const std::tuple<std::string, double> kept(shop, place);
  CHECK(key_hash(std::tie(shop, place)) == key_hash(kept));
  CHECK(same_key(kept, std::tie(shop, place)));
  const std::string other = "another";
  CHECK(!same_key(kept, std::tie(other, place)));

  keyed_table<std::tuple<std::string, double>, int> table(key_group_range_of(0, 128, 1), 128);
  const auto hash = key_hash(kept);
  CHECK(table.find_or_make(hash, std::tie(shop, place), [] { return 1; }).second);
  CHECK(!table.find_or_make(hash, std::tie(shop, place), [] { return 2; }).second);
  CHECK(*table.find(hash, kept) == 1);
}

TEST_CASE("a keyed table forgets what is erased and finds the rest") {
  keyed_table<std::int64_t, std::int64_t> table({0, 3}, 4);
  const auto hash_of_key = [](std::int64_t key) { return key_hash(key); };
  for (std::int64_t key = 0; key < 5'000; ++key)
    table.find_or_make(key_hash(key), key, [key] { return key; });
  for (std::int64_t key = 0; key < 5'000; ++key) {
    if (key % 50 == 7) continue;
    CHECK(table.erase(key_hash(key), key, hash_of_key));
    CHECK(!table.erase(key_hash(key), key, hash_of_key));
  }
  CHECK(table.size() == 100);
  for (std::int64_t key = 0; key < 5'000; ++key) {
    const auto* found = table.find(key_hash(key), key);
    CHECK((found != nullptr) == (key % 50 == 7));
    if (found != nullptr) CHECK(*found == key);
  }
}

TEST_CASE("entries of a frozen table are saved once each, as they were") {
  using table_type = keyed_table<std::int64_t, std::int64_t>;
  table_type table(key_group_range_of(0, 8, 1), 8);
  struct keeper final : entry_saver {
    explicit keeper(table_type& of) : table(of) {}
    std::size_t save(std::uint32_t group, std::size_t first, std::size_t end) override {
      for (auto i = first; i < end; ++i) {
        const auto& entry = table.entries_of(group)[i];
        CHECK(saved.emplace(entry.key, entry.value).second);
      }
      return 16 * (end - first);
    }
    table_type& table;
    std::map<std::int64_t, std::int64_t> saved;
  };
  std::mt19937 random(7);
  std::map<std::int64_t, std::int64_t> model;
  const auto hash_of_key = [](std::int64_t key) { return key_hash(key); };
  const auto change = [&] {
    const auto key = static_cast<std::int64_t>(random() % 3'000);
    const auto value = static_cast<std::int64_t>(random());
    switch (random() % 4) {
      case 0:
        CHECK(table.erase(key_hash(key), key, hash_of_key) == (model.erase(key) == 1));
        break;
      case 1:
        if (auto* found = table.find_for_update(key_hash(key), key)) model[key] = *found = value;
        break;
      default:
        table.find_or_make(key_hash(key), key, [] { return std::int64_t{0}; }).first = value;
        model[key] = value;
    }
  };
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 2'000; ++i) change();
    const auto frozen = model;
    keeper to(table);
    table.freeze(to);
    std::uint32_t group = 0;
    while (group < table.group_count()) {
      for (auto changes = random() % 20; changes > 0; --changes) change();
      snapshot_budget slice(1 + random() % 900);
      while (group < table.group_count() && table.write_frozen(group, slice)) ++group;
    }
    for (int i = 0; i < 100; ++i) change();
    CHECK(to.saved == frozen);
    table.thaw();
  }
}

}  // namespace keyed_table_test
