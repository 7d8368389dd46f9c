#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/core/ids.hpp"

/// Record types of every shape, for the tests of all that walks types.
namespace millrace::test {

enum class color : std::uint8_t { red = 1, blue = 7 };

struct nothing {
  bool operator==(const nothing&) const = default;
};

struct point {
  double x = 0;
  double y = 0;
  bool operator==(const point&) const = default;
};

struct padded {
  std::int64_t wide = 0;
  std::int32_t narrow = 0;
  bool flag = false;
  bool operator==(const padded&) const = default;
};

/// A type that contains itself.
struct tree {
  std::string name;
  std::vector<tree> children;
  bool operator==(const tree&) const = default;
};

struct chain {
  std::vector<chain> next;
};

struct everything {
  bool flag = false;
  char letter = 0;
  std::int8_t i8 = 0;
  std::uint16_t u16 = 0;
  std::int32_t i32 = 0;
  std::uint64_t u64 = 0;
  float f32 = 0;
  double f64 = 0;
  color hue = color::red;
  std::string text;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::array<std::int16_t, 3> triple{};
  std::map<std::string, std::int64_t> tree_map;
  std::unordered_map<std::int32_t, std::string> hash_map;
  std::set<std::string> names;
  std::optional<point> maybe;
  std::variant<std::monostate, std::int32_t, std::string> either;
  std::pair<std::int32_t, std::string> two;
  std::tuple<bool, std::int32_t, point> three;
  std::chrono::milliseconds length{0};
  std::chrono::sys_time<std::chrono::microseconds> moment{};
  point nested;
  nothing empty;
  std::vector<padded> rows;
  job_id id;
  bool operator==(const everything&) const = default;
};

/// No aggregate: needs its own codec. Never 0 after construction from a value.
class opaque {
 public:
  opaque() = default;
  explicit opaque(std::int32_t secret) : secret_(secret) {}
  std::int32_t secret() const { return secret_; }
  bool operator==(const opaque&) const = default;

 private:
  std::int32_t secret_ = 1;
};

inline everything sample_everything() {
  everything e;
  e.flag = true;
  e.letter = 'z';
  e.i8 = -8;
  e.u16 = 65535;
  e.i32 = -1;
  e.u64 = ~0ull;
  e.f32 = 0.5f;
  e.f64 = -1e300;
  e.hue = color::blue;
  e.text = "a text that is longer than the small string buffer";
  e.numbers = {1, 2.5, -0.0};
  e.texts = {"", "x"};
  e.triple = {1, -2, 3};
  e.tree_map = {{"one", 1}, {"two", 2}};
  e.hash_map = {{1, "eins"}, {2, "zwei"}};
  e.names = {"a", "b"};
  e.maybe = point{1, 2};
  e.either = "right";
  e.two = {2, "two"};
  e.three = {true, 3, {4, 5}};
  e.length = std::chrono::milliseconds(1500);
  e.moment += std::chrono::hours(24);
  e.nested = {6, 7};
  e.rows = {{1, 2, true}, {3, 4, false}};
  e.id = {1, 2};
  return e;
}

inline tree sample_tree(int depth) {
  tree t{"node " + std::to_string(depth), {}};
  if (depth > 0) t.children = {sample_tree(depth - 1), sample_tree(0)};
  return t;
}

/// `containers` vectors, one inside the other.
inline chain sample_chain(int containers) {
  chain c;
  for (int i = 1; i < containers; ++i) {
    chain outer;
    outer.next.push_back(std::move(c));
    c = std::move(outer);
  }
  return c;
}

}  // namespace millrace::test

template <>
struct millrace::codec<millrace::test::opaque> {
  static constexpr std::string_view type_name = "test.opaque/1";
  static void write(byte_writer& out, const test::opaque& value) { encode(out, value.secret()); }
  static bool read(byte_reader& in, test::opaque& value) {
    std::int32_t secret = 0;
    if (!decode(in, secret)) return false;
    if (secret == 0) return in.fail("an opaque must not be 0");
    value = test::opaque(secret);
    return true;
  }
};
