#include "millrace/stream/router.hpp"

#include <doctest/doctest.h>

#include <random>

#include "support/stream_world.hpp"

namespace router_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;

namespace {

struct word_row {
  std::string word;
  std::int64_t n = 0;
  bool operator==(const word_row&) const = default;
};

struct identity {
  const std::int64_t& operator()(const std::int64_t& n) const { return n; }
};

/// A router in front of an exchange whose channels are wide open.
struct routing {
  fake_services port;
  exchange target;
  std::unique_ptr<batch_router> router;

  routing(std::uint32_t channels, const router_factory& factory, router_context where = {},
          batch_limits limits = {})
      : target(port, 0, channels, limits, 1 << 20) {
    if (where.consumer_parallelism == 1) where.consumer_parallelism = channels;
    for (std::uint32_t c = 0; c < channels; ++c) target.open(c, std::uint64_t{1} << 40);
    router = factory.create(target, where);
  }

  void route(batch_ptr rows, rows_access access = rows_access::exclusive) {
    router->consume(*rows, access);
  }
  auto numbers_sent() const { return port.rows<std::int64_t>(); }
};

routing plain(std::uint32_t channels, partitioning how, std::uint32_t subtask = 0) {
  return routing(channels, plain_router_factory<std::int64_t>(how), {.subtask_index = subtask});
}

using keyed_factory = keyed_router_factory<std::int64_t, identity>;

}  // namespace

TEST_CASE("rebalance deals rows round robin, from a start of the sender's own") {
  for (const auto how : {partitioning::rebalance, partitioning::rescale}) {
    auto r = plain(3, how, 4);
    r.route(batch_of(numbers(7)));
    r.router->flush();
    auto sent = r.numbers_sent();
    CHECK(sent[1] == std::vector<std::int64_t>{0, 3, 6});
    CHECK(sent[2] == std::vector<std::int64_t>{1, 4});
    CHECK(sent[0] == std::vector<std::int64_t>{2, 5});
  }
}

TEST_CASE("the round of rebalance goes on from batch to batch") {
  auto r = plain(2, partitioning::rebalance);
  for (auto n : numbers(10)) r.route(batch_of<std::int64_t>({n}));
  r.router->flush();
  CHECK(r.numbers_sent()[0] == std::vector<std::int64_t>{0, 2, 4, 6, 8});
}

TEST_CASE("shuffle spreads evenly and repeats itself") {
  auto a = plain(4, partitioning::shuffle, 3);
  auto b = plain(4, partitioning::shuffle, 3);
  for (auto* r : {&a, &b}) {
    r->route(batch_of(numbers(40'000)));
    r->router->flush();
  }
  CHECK(a.numbers_sent() == b.numbers_sent());
  auto sent = a.numbers_sent();
  std::size_t sum = 0;
  for (auto& [channel, rows] : sent) {
    CHECK(rows.size() > 9'700);
    CHECK(rows.size() < 10'300);
    sum += rows.size();
  }
  CHECK(sum == 40'000);
}

TEST_CASE("forward and global send everything to the first channel") {
  auto global = plain(3, partitioning::global);
  global.route(batch_of(numbers(10)));
  global.route(batch_of(numbers(10, 10)), rows_access::shared);
  global.router->flush();
  CHECK(global.numbers_sent().size() == 1);
  CHECK(global.numbers_sent()[0] == numbers(20));
  auto forward = plain(1, partitioning::forward);
  forward.route(batch_of(numbers(10)));
  forward.router->flush();
  CHECK(forward.numbers_sent()[0] == numbers(10));
}

TEST_CASE("broadcast gives every channel the same batch") {
  auto r = plain(3, partitioning::broadcast);
  r.route(batch_of(numbers(10)));
  r.router->flush();
  REQUIRE(r.port.sent.size() == 3);
  for (std::uint32_t c = 0; c < 3; ++c) {
    CHECK(r.port.sent[c].channel == c);
    CHECK(r.port.sent[c].batch().rows == r.port.sent[0].batch().rows);
    CHECK(r.numbers_sent()[c] == numbers(10));
  }
  CHECK_FALSE(r.port.sent[0].batch().rows->is_unique());
  r.route(batch_of(numbers(1)), rows_access::shared);
  r.router->flush();
  CHECK(r.port.sent.size() == 6);
}

TEST_CASE("a key goes to the subtask that owns its key group") {
  for (const std::uint32_t parallelism : {2u, 3u, 7u, 128u}) {
    CAPTURE(parallelism);
    const std::uint32_t groups = parallelism == 3 ? 1000 : 128;
    routing r(parallelism, keyed_factory(identity{}),
              {.consumer_parallelism = parallelism, .consumer_max_parallelism = groups});
    r.route(batch_of(numbers(10'000)));
    r.router->flush();
    std::size_t sum = 0;
    for (const auto& [channel, keys] : r.numbers_sent()) {
      const auto owned = key_group_range_of(channel, groups, parallelism);
      for (auto key : keys) REQUIRE(owned.contains(key_group_of(key_hash(key), groups)));
      CHECK(keys.size() > 10'000 / parallelism / 3);
      sum += keys.size();
    }
    CHECK(sum == 10'000);
  }
}

TEST_CASE("plain rows keep their order on a channel, however many there are at once") {
  for (const std::uint32_t channels : {2u, 3u, 40u}) {
    for (const auto access : {rows_access::shared, rows_access::exclusive}) {
      routing r(channels, keyed_factory{identity{}}, {}, {.rows = 300, .bytes = 1 << 20});
      std::vector<std::vector<std::int64_t>> expected(channels);
      std::int64_t next = 0;
      for (const int rows : {1, 63, 64, 65, 1000, 0, 5000}) {
        std::vector<std::int64_t> in;
        for (int i = 0; i < rows; ++i) {
          const auto group = key_group_of(key_hash(next), 128);
          expected[subtask_of_key_group(group, 128, channels)].push_back(next);
          in.push_back(next++);
        }
        r.route(batch_of(in), access);
      }
      r.router->flush();
      auto sent = r.numbers_sent();
      for (std::uint32_t c = 0; c < channels; ++c) CHECK(sent[c] == expected[c]);
    }
  }
}

TEST_CASE("rows with text are routed by key whole, moved or copied") {
  auto key = [](const word_row& row) -> const std::string& { return row.word; };
  const keyed_router_factory<word_row, decltype(key)> factory(key);
  for (const auto access : {rows_access::exclusive, rows_access::shared}) {
    routing r(3, factory);
    std::vector<word_row> rows;
    for (std::int64_t i = 0; i < 1000; ++i)
      rows.push_back({std::string(static_cast<std::size_t>(i % 37), 'a') + std::to_string(i), i});
    r.route(batch_of(rows), access);
    r.router->flush();
    std::vector<word_row> got(1000);
    for (const auto& [channel, some] : r.port.rows<word_row>())
      for (const auto& row : some) got[static_cast<std::size_t>(row.n)] = row;
    CHECK(got == rows);
  }
}

TEST_CASE("with one consumer a keyed exchange does not look at keys") {
  auto key = [](const std::int64_t&) -> std::int64_t { throw std::runtime_error("called"); };
  routing r(1, keyed_router_factory<std::int64_t, decltype(key)>(key));
  r.route(batch_of(numbers(10)));
  r.router->flush();
  CHECK(r.numbers_sent()[0] == numbers(10));
}

TEST_CASE("a custom partitioner chooses, and may have state of its own in each subtask") {
  auto choose = [next = 0](const std::int64_t&, std::uint32_t channels) mutable {
    return next++ % static_cast<int>(channels);
  };
  const custom_router_factory<std::int64_t, decltype(choose)> factory(choose);
  for (int subtask = 0; subtask < 2; ++subtask) {
    routing r(2, factory);
    r.route(batch_of(numbers(4)));
    r.router->flush();
    CHECK(r.numbers_sent()[0] == std::vector<std::int64_t>{0, 2});
  }
}

TEST_CASE("a custom partitioner that leaves the range is an error that says the range") {
  for (const std::int64_t wrong : {std::int64_t{3}, std::int64_t{-1}, std::int64_t{1} << 32}) {
    auto choose = [wrong](const std::int64_t&, std::uint32_t) { return wrong; };
    routing r(3, custom_router_factory<std::int64_t, decltype(choose)>(choose));
    try {
      r.route(batch_of(numbers(1)));
      FAIL("no error");
    } catch (const failure& f) {
      CHECK(f.code() == errc::user_function);
      const std::string message = f.what();
      CHECK(message.find("channel " + std::to_string(wrong)) != std::string::npos);
      CHECK(message.find("0 to 2") != std::string::npos);
    }
  }
}

TEST_CASE("a full batch leaves at once, the rest when flushed") {
  const plain_router_factory<std::int64_t> factory(partitioning::rebalance);
  routing r(2, factory, {}, {.rows = 100, .bytes = 64 * 1024});
  r.route(batch_of(numbers(399)));
  std::vector<std::size_t> sizes;
  for (auto& s : r.port.sent) sizes.push_back(s.batch().rows->size());
  CHECK(sizes == std::vector<std::size_t>{100, 100, 100});
  r.router->flush();
  REQUIRE(r.port.sent.size() == 4);
  CHECK(r.port.sent[3].batch().rows->size() == 99);
  r.router->flush();
  CHECK(r.port.sent.size() == 4);
}

TEST_CASE("batches end at the first row that reaches the limit of bytes") {
  const plain_router_factory<std::string> factory(partitioning::global);
  routing r(2, factory, {}, {.rows = 4096, .bytes = 10'000});
  for (int i = 0; i < 10; ++i) r.route(batch_of<std::string>({std::string(3000, 'x')}));
  r.router->flush();
  std::vector<std::size_t> sizes;
  for (auto& s : r.port.sent) sizes.push_back(s.batch().rows->size());
  CHECK(sizes == std::vector<std::size_t>{4, 4, 2});
}

TEST_CASE("a small batch does not hold the memory of a large one") {
  auto r = plain(2, partitioning::global);
  for (int i = 0; i < 5; ++i) {
    r.route(batch_of(numbers(1)), rows_access::shared);
    r.router->flush();
  }
  for (auto& s : r.port.sent) CHECK(rows_of<std::int64_t>(*s.batch().rows).capacity() <= 16);
}

TEST_CASE("a batch worth sending is passed on without touching its rows") {
  const plain_router_factory<std::int64_t> factory(partitioning::global);
  routing r(2, factory, {}, {.rows = 100, .bytes = 64 * 1024});
  auto large = batch_of(numbers(80));
  const auto* place = rows_of<std::int64_t>(*large).data();
  r.route(large);
  REQUIRE(r.port.sent.size() == 1);
  CHECK(rows_of<std::int64_t>(*r.port.sent[0].batch().rows).data() == place);

  SUBCASE("but not if somebody else looks at it") {
    auto shared = batch_of(numbers(80));
    r.route(shared, rows_access::shared);
    CHECK(r.port.sent.size() == 1);
    r.router->flush();
    REQUIRE(r.port.sent.size() == 2);
    CHECK(rows_of<std::int64_t>(*shared) == numbers(80));
    CHECK(rows_of<std::int64_t>(*r.port.sent[1].batch().rows) == numbers(80));
  }
  SUBCASE("but not if rows wait before it") {
    r.route(batch_of<std::int64_t>({-1}));
    r.route(batch_of(numbers(80)));
    r.router->flush();
    CHECK(rows_in<std::int64_t>(r.port.sent[1])[0] == -1);
    CHECK(r.port.sent.size() == 2);
  }
  SUBCASE("but not if it is small") {
    r.route(batch_of(numbers(20)));
    CHECK(r.port.sent.size() == 1);
  }
  SUBCASE("but not if it is over the limits") {
    r.route(batch_of(numbers(250)));
    r.router->flush();
    REQUIRE(r.port.sent.size() == 4);
    for (auto& s : r.port.sent) CHECK(s.batch().rows->size() <= 100);
  }
}

TEST_CASE("text is passed on whole too, within the limit of bytes") {
  const plain_router_factory<std::string> factory(partitioning::global);
  routing r(2, factory, {}, {.rows = 4096, .bytes = 10'000});
  r.route(batch_of<std::string>(std::vector<std::string>(3, std::string(2500, 'x'))));
  CHECK(r.port.sent.size() == 1);
  r.route(batch_of<std::string>(std::vector<std::string>(9, std::string(2500, 'x'))));
  r.router->flush();
  CHECK(r.port.sent.size() == 4);
}

TEST_CASE("rows of bool and rows that are larger than a batch are routed too") {
  const plain_router_factory<bool> bools(partitioning::rebalance);
  routing b(2, bools);
  b.route(batch_of<bool>({true, false, true, false}));
  b.router->flush();
  CHECK(b.port.rows<bool>()[0] == std::vector<bool>{true, true});

  using page = std::array<std::int64_t, 100>;
  const plain_router_factory<page> pages(partitioning::rebalance);
  routing p(2, pages, {}, {.rows = 4096, .bytes = 64});
  p.route(batch_of<page>(std::vector<page>(4)));
  CHECK(p.port.sent.size() == 4);
}

TEST_CASE("an exchange that has no credit keeps what routers send it") {
  fake_services port;
  exchange target(port, 0, 2, {.rows = 10, .bytes = 1000}, 1000);
  const auto router = keyed_factory(identity{}).create(target, {0, 2, 128});
  auto rows = batch_of(numbers(100));
  router->consume(*rows, rows_access::exclusive);
  router->flush();
  CHECK(target.is_blocked());
  CHECK(port.sent.empty());
  CHECK(target.waiting_bytes() == 800);
}

TEST_CASE("timestamps go where their rows go") {
  for (const auto how : {partitioning::rebalance, partitioning::broadcast, partitioning::global,
                         partitioning::shuffle, partitioning::hash}) {
    for (const auto access : {rows_access::exclusive, rows_access::shared}) {
      const std::uint32_t channels = 3;
      auto r = how == partitioning::hash ? routing(channels, keyed_factory(identity{}))
                                         : plain(channels, how);
      r.route(batch_of(numbers(5)), access);
      r.route(batch_of(numbers(4, 5), {105, 106, 107, 108}), access);
      r.route(batch_of(numbers(3, 9)), access);
      r.router->flush();
      for (const auto& s : r.port.sent) {
        const auto& batch = static_cast<const typed_batch<std::int64_t>&>(*s.batch().rows);
        for (std::size_t i = 0; i < batch.size(); ++i) {
          const auto n = batch.rows[i];
          CHECK(batch.timestamp_of(i) == (n >= 5 && n < 9 ? 100 + n : no_timestamp));
        }
      }
    }
  }
}

TEST_CASE("a batch that is handed on whole keeps its timestamps") {
  routing r(1, plain_router_factory<std::int64_t>(partitioning::forward), {}, {.rows = 4});
  r.route(batch_of(numbers(4), {1, 2, 3, 4}));
  REQUIRE(r.port.sent.size() == 1);
  CHECK(timestamps_of<std::int64_t>(*r.port.sent[0].batch().rows) == timestamp_column{1, 2, 3, 4});
}

TEST_CASE("batches of rows with timestamps keep to the limit of bytes") {
  routing r(1, plain_router_factory<std::int64_t>(partitioning::forward), {},
            {.rows = 4096, .bytes = 64});
  r.route(batch_of(numbers(8), timestamp_column(8, 1)), rows_access::shared);
  REQUIRE(r.port.sent.size() == 2);
  CHECK(r.port.sent[0].batch().rows->memory_bytes() == 64);
}

TEST_CASE("watermarks and idleness go to every channel, behind the rows that came before") {
  auto r = plain(2, partitioning::rebalance);
  r.route(batch_of(numbers(2)));
  r.router->on_watermark(7);
  r.router->on_status(stream_status::idle);
  REQUIRE(r.port.sent.size() == 6);
  CHECK(r.port.sent[0].is_batch());
  CHECK(r.port.sent[1].is_batch());
  for (std::uint32_t c = 0; c < 2; ++c) {
    CHECK(r.port.sent[2 + c].channel == c);
    CHECK(std::get<watermark>(r.port.sent[2 + c].what) == watermark{7});
    CHECK(std::get<stream_status>(r.port.sent[4 + c].what) == stream_status::idle);
  }
}

}  // namespace router_test
