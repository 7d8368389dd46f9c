#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "millrace/state/keyed_state_backend.hpp"
#include "support/state_backends.hpp"
#include "support/state_world.hpp"

namespace keyed_state_test {

using namespace millrace;
using millrace::test::all_state_backends;
using millrace::test::state_world;

namespace {

struct window {
  std::int64_t start = 0;
  std::int64_t end = 0;
  auto operator<=>(const window&) const = default;
};

struct mean {
  std::int64_t sum = 0;
  std::int64_t count = 0;
};

class average final : public aggregate_function<std::int64_t, mean, double> {
 public:
  void add(mean& into, const std::int64_t& value) const override {
    into.sum += value;
    ++into.count;
  }
  double get_result(const mean& from) const override {
    return static_cast<double>(from.sum) / static_cast<double>(from.count);
  }
  void merge(mean& into, const mean& from) const override {
    into.sum += from.sum;
    into.count += from.count;
  }
};

reducing_state_descriptor<std::int64_t> sum_of(const std::string& name) {
  return {name, [](std::int64_t a, std::int64_t b) { return a + b; }};
}

template <class Call>
error error_of(Call&& call) {
  try {
    call();
  } catch (const failure& f) {
    return f.what_failed();
  }
  return {errc::internal, "nothing was thrown"};
}

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

TEST_CASE("values that stay in their place are found there, and no others") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::string>();
    const auto count = state->get_state(value_state_descriptor<std::int64_t>("count"));
    state->set_current_key("a");
    CHECK(count.find_in_place() == nullptr);
    CHECK(!count.has_value());
    count.update(1);
    state->set_current_key("b");
    count.update(2);
    state->set_current_key("a");
    auto* first = count.find_in_place();
    CHECK((first != nullptr) == state->is_in_memory());
    if (first == nullptr) continue;
    state->set_current_key("b");
    *count.find_in_place() += 10;
    *first += 10;
    CHECK(count.value() == 12);
    state->set_current_key("a");
    CHECK(count.value() == 11);
  }
}

TEST_CASE("a value state keeps one value per key") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::string>();
    const auto count = state->get_state(value_state_descriptor<std::int64_t>("count", 7));
    state->set_current_key("a");
    CHECK(!count.has_value());
    CHECK(count.value() == 7);
    CHECK(count.find() == nullptr);
    count.update(1);
    CHECK(count.value() == 1);
    state->set_current_key("b");
    CHECK(!count.has_value());
    CHECK(++count.get_or_default() == 8);
    state->set_current_key("a");
    CHECK(++count.get_or_default() == 2);
    count.clear();
    CHECK(!count.has_value());
    count.clear();
    state->set_current_key("b");
    CHECK(*count.find() == 8);
  }
}

TEST_CASE("a list state keeps elements in the order they came") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto words = state->get_list_state(list_state_descriptor<std::string>("words"));
    state->set_current_key(1);
    CHECK(words.get().empty());
    words.add("x");
    words.add_all({"y", "z"});
    words.add_all({});
    CHECK(words.get() == std::vector<std::string>{"x", "y", "z"});
    state->set_current_key(2);
    CHECK(words.get().empty());
    words.update({"only"});
    state->set_current_key(1);
    words.update({});
    CHECK(words.get().empty());
    state->set_current_key(2);
    CHECK(words.get() == std::vector<std::string>{"only"});
    words.clear();
    CHECK(words.get().empty());
  }
}

TEST_CASE("a map state keeps entries per key") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto seen = state->get_map_state(map_state_descriptor<std::string, int>("seen"));
    state->set_current_key(1);
    CHECK(seen.is_empty());
    CHECK(seen.get("a") == nullptr);
    seen.put("a", 1);
    seen.put_all(std::map<std::string, int>{{"b", 2}, {"c", 3}});
    ++seen.get_or_default("c");
    ++seen.get_or_default("d");
    state->set_current_key(2);
    CHECK(seen.is_empty());
    CHECK(!seen.contains("a"));
    seen.put("a", 9);
    state->set_current_key(1);
    CHECK(*seen.get("a") == 1);
    CHECK(sorted(seen.keys()) == std::vector<std::string>{"a", "b", "c", "d"});
    CHECK(sorted(seen.values()) == std::vector<int>{1, 1, 2, 4});
    CHECK(sorted(seen.entries()).at(2) == std::pair<std::string, int>("c", 4));
    CHECK(seen.remove("a"));
    CHECK(!seen.remove("a"));
    CHECK(!seen.contains("a"));
    seen.clear();
    CHECK(seen.is_empty());
    CHECK(seen.entries().empty());
    seen.put("e", 5);
    CHECK(seen.remove("e"));
    CHECK(seen.is_empty());
    state->set_current_key(2);
    CHECK(*seen.get("a") == 9);
  }
}

TEST_CASE("reducing and aggregating states fold what is added") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto sum = state->get_reducing_state(sum_of("sum"));
    const auto mean_of = state->get_aggregating_state(
        aggregating_state_descriptor<std::int64_t, mean, double>("mean", average()));
    const auto longest = state->get_reducing_state(reducing_state_descriptor<std::string>(
        "longest", [](std::string& into, const std::string& s) {
          if (s.size() > into.size()) into = s;
        }));
    state->set_current_key(5);
    CHECK(sum.get() == nullptr);
    CHECK(!mean_of.get());
    for (const std::int64_t v : {1, 2, 6}) {
      sum.add(v);
      mean_of.add(v);
    }
    longest.add("ab");
    longest.add("abc");
    longest.add("d");
    CHECK(*sum.get() == 9);
    CHECK(*mean_of.get() == 3.0);
    CHECK(*longest.get() == "abc");
    sum.clear();
    mean_of.clear();
    CHECK(sum.get() == nullptr);
    CHECK(!mean_of.get());
  }
}

TEST_CASE("a state in namespaces keeps each apart and merges them") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::string>();
    const auto sum = state->get_namespaced<window>(sum_of("sum"));
    const auto rows = state->get_namespaced<window>(list_state_descriptor<std::int64_t>("rows"));
    const auto means = state->get_namespaced<window>(
        aggregating_state_descriptor<std::int64_t, mean, double>("means", average()));
    const auto plain = state->get_namespaced<window>(value_state_descriptor<std::int64_t>("plain"));
    const auto maps =
        state->get_namespaced<window>(map_state_descriptor<std::int64_t, std::int64_t>("maps"));
    const std::vector<window> windows{{0, 10}, {5, 15}, {12, 20}};
    for (const char* key : {"a", "b"}) {
      state->set_current_key(key);
      std::int64_t n = 0;
      for (const auto& w : windows) {
        sum.set_current_namespace(w);
        rows.set_current_namespace(w);
        means.set_current_namespace(w);
        maps.set_current_namespace(w);
        ++n;
        sum.add(n);
        rows.add(n);
        means.add(n);
        maps.put(n, n);
      }
    }
    state->set_current_key("a");
    const window merged{0, 20};
    sum.merge_namespaces(merged, windows);
    CHECK(*sum.get() == 6);
    means.merge_namespaces(merged, windows);
    CHECK(*means.get() == 2);
    rows.merge_namespaces(windows[0], windows);
    CHECK(rows.get() == std::vector<std::int64_t>{1, 2, 3});
    for (const auto& w : windows) {
      sum.set_current_namespace(w);
      CHECK(sum.get() == nullptr);
      maps.set_current_namespace(w);
      CHECK(maps.entries().size() == 1);
    }
    state->set_current_key("b");
    CHECK(*sum.get() == 3);
    rows.set_current_namespace(windows[1]);
    CHECK(rows.get() == std::vector<std::int64_t>{2});
    CHECK(error_of([&] { plain.merge_namespaces(merged, windows); }).message ==
          "state 'plain' is a value state, which can't be merged over namespaces");
  }
}

TEST_CASE("keys of any type find their state again, floating-point ones too") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    using key = std::tuple<std::string, double>;
    auto state = world.make<key>();
    const auto count = state->get_state(value_state_descriptor<int>("count"));
    const auto by_size = state->get_map_state(map_state_descriptor<double, int>("by size"));
    const double nan = std::nan("");
    for (const key& k : {key("x", 0.0), key("x", -0.0), key("x", nan), key("x", -nan)}) {
      state->set_current_key(k);
      ++count.get_or_default();
      ++by_size.get_or_default(std::get<1>(k));
      state->flush();
    }
    state->set_current_key(key("x", 0.0));
    CHECK(count.value() == 2);
    CHECK(*by_size.get(-0.0) == 2);
    state->set_current_key(key("x", nan));
    CHECK(count.value() == 2);
    CHECK(*by_size.get(nan) == 2);
    CHECK(by_size.entries().size() == 1);
  }
}

TEST_CASE("the same name gives the same state, and another kind or type is refused") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto first = state->get_state(value_state_descriptor<std::int64_t>("n"));
    const auto second = state->get_state(value_state_descriptor<std::int64_t>("n"));
    state->set_current_key(1);
    first.update(4);
    CHECK(second.value() == 4);
    CHECK(error_of([&] { state->get_list_state(list_state_descriptor<std::string>("n")); }) ==
          error{errc::invalid_argument,
                "state 'n' of operator 'counter' is already in use: it was a value state and is "
                "now a list state; every state of an operator needs a name of its own"});
    CHECK(error_of([&] { state->get_state(value_state_descriptor<mean>("n")); }).message ==
          "state 'n' of operator 'counter' is already in use: it had another type of value: it was "
          "i64 "
          "and is now " +
              describe_type<mean>() + "; every state of an operator needs a name of its own");
    CHECK(error_of([&] {
            state->get_namespaced<window>(value_state_descriptor<std::int64_t>("n"));
          }).code == errc::invalid_argument);
    CHECK(error_of([&] { state->timers<void_namespace>("n"); }).code == errc::invalid_argument);
    CHECK(error_of([&] { state->get_state(value_state_descriptor<mean>("")); }).message ==
          "a state of operator 'counter' has no name");
    state->get_state(value_state_descriptor<mean>("mean"));
    CHECK(error_of([&] { state->get_state(value_state_descriptor<window>("mean")); }).message ==
          "state 'mean' of operator 'counter' is already in use: it was asked for with another C++ "
          "type; every state of an operator needs a name of its own");
  }
}

TEST_CASE("prefetching changes nothing") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto count = state->get_state(value_state_descriptor<std::int64_t>("count"));
    std::vector<std::int64_t> keys;
    std::vector<std::uint64_t> hashes;
    for (int round = 0; round < 3; ++round) {
      for (std::int64_t block = 0; block < 40'000; block += 64) {
        keys.clear();
        hashes.clear();
        for (std::int64_t i = 0; i < 64; ++i) {
          keys.push_back((block + i) * 3 % 30'000);
          hashes.push_back(key_hash(keys.back()));
        }
        state->prefetch(keys, hashes);
        for (std::size_t i = 0; i < keys.size(); ++i) {
          state->set_current_key(keys[i], hashes[i]);
          ++count.get_or_default();
        }
      }
    }
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < 30'000; ++k) {
      state->set_current_key(k);
      sum += count.value();
      if (count.has_value()) CHECK(count.value() % 3 == 0);
    }
    CHECK(sum == 3 * 40'000);
  }
}

}  // namespace keyed_state_test
