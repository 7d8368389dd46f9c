#include "millrace/core/hash.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "support/codec_samples.hpp"

template <>
struct millrace::key_hasher<millrace::test::opaque> {
  std::uint64_t operator()(const millrace::test::opaque& key) const {
    return key_hash(key.secret());
  }
};

namespace hash_test {

using namespace millrace;
using namespace millrace::test;

static_assert(hashable_key<opaque> && hashable_key<job_id> && hashable_key<point>);
static_assert(hashable_key<std::string_view> && hashable_key<std::variant<int, std::string>>);
static_assert(!hashable_key<std::set<int>> && !hashable_key<int*>);

TEST_CASE("key hashes never change") {
  // They place keys in checkpoints. If one of these fails, the code is wrong, not the number.
  CHECK(key_hash(0) == 0xE220A8397B1DCDAFull);
  CHECK(key_hash(1) == 0x910A2DEC89025CC1ull);
  CHECK(key_hash(-1) == 0xE4D971771B652C20ull);
  CHECK(key_hash(true) == key_hash(1));
  CHECK(key_hash(color::blue) == key_hash(7));
  CHECK(key_hash(0.0) == key_hash(0));
  CHECK(key_hash(1.5) == 0xD6DAB18E1392608Aull);
  CHECK(key_hash(std::string()) == 0x2D06800538D394C2ull);
  CHECK(key_hash(std::string("millrace")) == 0x0F798300CB96ECA5ull);
  CHECK(key_hash(std::string(1000, 'x')) == 0xC0A4877B962CBA82ull);
  CHECK(key_hash(std::pair<int, std::string>{1, "a"}) == 0x8BCEFE5360443CC2ull);
  CHECK(key_hash(std::vector<int>{1, 2, 3}) == 0x55BB0987FA660DE1ull);
  CHECK(key_hash(std::optional<int>()) == 0xE220A8397B1DCDAFull);
  CHECK(key_hash(std::optional<int>(1)) == 0x7541E9FCD5D9EE51ull);
  CHECK(key_hash(std::variant<int, std::string>("a")) == 0xD8311338ECC1C2BAull);
  CHECK(key_hash(job_id{1, 2}) == 0x6FDF8AFEA7C85257ull);
  CHECK(key_hash(nothing{}) == 0x2545F4914F6CDD1Dull);
}

TEST_CASE("a number hashes the same at every width") {
  CHECK(key_hash(std::int8_t{-3}) == key_hash(std::int64_t{-3}));
  CHECK(key_hash(std::uint8_t{200}) == key_hash(std::int32_t{200}));
  CHECK(key_hash('a') == key_hash(97));
  CHECK(key_hash(1.5f) == key_hash(1.5));
  CHECK(key_hash(std::chrono::seconds(5)) == key_hash(5));
}

TEST_CASE("equal floats hash equal") {
  CHECK(key_hash(-0.0) == key_hash(0.0));
  CHECK(key_hash(std::nan("1")) == key_hash(-std::numeric_limits<double>::quiet_NaN()));
  CHECK(key_hash(std::numeric_limits<float>::quiet_NaN()) == key_hash(std::nan("")));
  CHECK(key_hash(std::numeric_limits<double>::infinity()) !=
        key_hash(-std::numeric_limits<double>::infinity()));
}

TEST_CASE("texts hash the same however they are held") {
  CHECK(key_hash("word") == key_hash(std::string("word")));
  CHECK(key_hash(std::string_view("word")) == key_hash(std::string("word")));
}

TEST_CASE("structs hash as pairs of the same fields, and order matters") {
  CHECK(key_hash(point{1, 2}) == key_hash(std::pair<double, double>{1, 2}));
  CHECK(key_hash(point{1, 2}) != key_hash(point{2, 1}));
  CHECK(key_hash(std::pair<std::string, std::string>{"ab", "c"}) !=
        key_hash(std::pair<std::string, std::string>{"a", "bc"}));
  CHECK(key_hash(std::vector<int>{}) != key_hash(std::vector<int>{0}));
  CHECK(key_hash(std::vector<bool>{true}) == key_hash(std::vector<int>{1}));
}

TEST_CASE("consecutive keys spread evenly over the high bits") {
  constexpr int buckets = 128;
  constexpr int keys = 128'000;
  std::array<int, buckets> counts{};
  for (int key = 0; key < keys; ++key) ++counts[key_hash(key) >> 57];
  for (const int count : counts) {
    CHECK(count > 800);
    CHECK(count < 1200);
  }
}

}  // namespace hash_test
