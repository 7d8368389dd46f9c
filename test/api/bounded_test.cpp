#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

namespace bounded_test {

using namespace millrace;
using test::local_runner;

namespace {

struct sale {
  std::int32_t shop;
  std::int64_t amount;
  std::string note;
  auto operator<=>(const sale&) const = default;
};

struct shop_total {
  std::int32_t shop;
  std::int64_t left;
  std::int64_t right;
  auto operator<=>(const shop_total&) const = default;
};

template <class T>
std::vector<T> sorted(std::vector<T> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Random sales, and a cluster whose operators have so little memory that they spill, or plenty.
struct world {
  explicit world(std::uint64_t seed) : random(seed) {
    test::pipeline_settings settings;
    settings.seed = seed;
    const std::uint64_t sizes[] = {4, 700, 16000, std::uint64_t{1} << 20};
    settings.tasks.spilling.memory_bytes = memory_bytes = sizes[seed % 4];
    runner = std::make_shared<local_runner>(settings);
    env = std::make_unique<stream_environment>(configuration{}, runner);
    env->set_parallelism(static_cast<std::uint32_t>(1 + random() % 3));
    if (random() % 2 == 0) env->set_runtime_mode(graph::runtime_mode::batch);
  }
  ~world() { CHECK(runner->files().paths().empty()); }

  std::vector<sale> sales(std::size_t count, int shops) {
    std::vector<sale> rows(count);
    for (auto& row : rows)
      row = {static_cast<std::int32_t>(random() % shops) - 2,
             static_cast<std::int64_t>(random() % 41) - 20, std::string(random() % 12, 'x')};
    return rows;
  }
  bounded_stream<sale> stream(const std::vector<sale>& rows) {
    return as_bounded(env->from_collection(rows).rebalance());
  }

  std::mt19937_64 random;
  std::uint64_t memory_bytes = 0;
  std::shared_ptr<local_runner> runner;
  std::unique_ptr<stream_environment> env;
};

constexpr std::uint64_t seeds = 12;

std::map<std::int32_t, std::vector<sale>> by_shop(const std::vector<sale>& rows) {
  std::map<std::int32_t, std::vector<sale>> groups;
  for (const auto& row : rows) groups[row.shop].push_back(row);
  return groups;
}

sale sum_of(const sale& a, const sale& b) {
  return {a.shop, a.amount + b.amount, std::max(a.note, b.note)};
}

}  // namespace

TEST_CASE("a partition is sorted by several fields in either order, in memory or not") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    w.env->set_parallelism(1);
    auto rows = w.sales(w.random() % 600, 5);
    const auto result =
        w.stream(rows)
            .sort_partition(descending(&sale::shop), &sale::note,
                            descending([](const sale& s) { return s.amount / 4.0; }))
            .execute_and_collect();
    std::stable_sort(rows.begin(), rows.end(), [](const sale& a, const sale& b) {
      return std::tuple(b.shop, a.note, b.amount) < std::tuple(a.shop, b.note, a.amount);
    });
    CHECK(result == rows);
  }
}

TEST_CASE("each group is worked on as a whole") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto rows = w.sales(w.random() % 400, 9);
    const auto groups = by_shop(rows);

    std::vector<sale> sums, least;
    std::vector<shop_total> spans;
    for (auto [shop, group] : groups) {
      sale sum = group.front();
      for (std::size_t i = 1; i < group.size(); ++i) sum = sum_of(sum, group[i]);
      sums.push_back(sum);
      std::sort(group.begin(), group.end());
      for (std::size_t i = 0; i < std::min<std::size_t>(3, group.size()); ++i)
        least.push_back(group[i]);
      spans.push_back({shop, group.front().amount, group.back().amount});
    }
    CHECK(sorted(w.stream(rows).group_by(&sale::shop).reduce(sum_of).execute_and_collect()) ==
          sums);
    CHECK(sorted(w.stream(rows)
                     .group_by(&sale::shop)
                     .sort_group(&sale::amount, &sale::note)
                     .first(3)
                     .execute_and_collect()) == least);

    struct span_of_group {
      std::optional<shop_total> span;
      void process_element(const sale& row, collector<shop_total>&) {
        if (!span) span = {row.shop, row.amount, row.amount};
        span->right = row.amount;
      }
      void end_group(collector<shop_total>& out) {
        out.emit(*span);
        span.reset();
      }
    };
    CHECK(sorted(as_bounded(w.stream(rows).key_by(&sale::shop))
                     .sort_group(&sale::amount)
                     .reduce_group(span_of_group{})
                     .execute_and_collect()) == spans);
  }
}

TEST_CASE("distinct leaves one record of each key, first at most so many") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto rows = w.sales(w.random() % 300, 4);
    const std::set<sale> all(rows.begin(), rows.end());
    CHECK(sorted(w.stream(rows).distinct().execute_and_collect()) ==
          std::vector<sale>(all.begin(), all.end()));

    std::set<std::pair<std::int32_t, std::int64_t>> keys;
    for (const auto& row : rows) keys.emplace(row.shop, row.amount);
    const auto one_each = w.stream(rows).distinct(&sale::shop, &sale::amount).execute_and_collect();
    CHECK(one_each.size() == keys.size());
    for (const auto& row : one_each) CHECK(keys.erase({row.shop, row.amount}) == 1);

    const auto n = w.random() % 200;
    CHECK(w.stream(rows).first(n).execute_and_collect().size() ==
          std::min<std::size_t>(n, rows.size()));
  }
}

TEST_CASE("joins of all kinds and co-groups pair what a nested loop pairs") {
  for (std::uint64_t seed = 1; seed <= 2 * seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto lefts = w.sales(w.random() % 120, 9);
    auto rights = w.sales(w.random() % 120, 13);
    // One side of a hot key may be larger than the memory, whichever it is.
    if (w.memory_bytes < 1000) {
      std::set<std::int32_t> seen;
      std::erase_if(rights, [&](const sale& s) { return !seen.insert(s.shop).second; });
    }

    constexpr std::int64_t none = 1000;
    std::vector<shop_total> inner, left_only, right_only, sizes;
    const auto left_groups = by_shop(lefts);
    const auto right_groups = by_shop(rights);
    for (const auto& l : lefts)
      for (const auto& r : rights)
        if (l.shop == r.shop) inner.push_back({l.shop, l.amount, r.amount});
    for (const auto& l : lefts)
      if (!right_groups.contains(l.shop)) left_only.push_back({l.shop, l.amount, none});
    for (const auto& r : rights)
      if (!left_groups.contains(r.shop)) right_only.push_back({r.shop, none, r.amount});
    for (std::int32_t shop = -2; shop < 12; ++shop) {
      const auto count = [shop](const auto& groups) {
        const auto found = groups.find(shop);
        return found == groups.end() ? 0 : static_cast<std::int64_t>(found->second.size());
      };
      if (count(left_groups) + count(right_groups) > 0)
        sizes.push_back({shop, count(left_groups), count(right_groups)});
    }

    const auto with = [](std::vector<shop_total> rows, const std::vector<shop_total>& more) {
      rows.insert(rows.end(), more.begin(), more.end());
      return sorted(std::move(rows));
    };
    const auto pair = [](const sale* l, const sale* r) {
      return shop_total{l ? l->shop : r->shop, l ? l->amount : none, r ? r->amount : none};
    };
    const auto run = [&](const auto& join) {
      return sorted(
          join.where(&sale::shop).equal_to(&sale::shop).apply(pair).execute_and_collect());
    };
    const auto a = w.stream(lefts);
    const auto b = w.stream(rights);
    CHECK(sorted(a.join(b)
                     .where(&sale::shop)
                     .equal_to(&sale::shop)
                     .apply([](const sale& l, const sale& r, collector<shop_total>& out) {
                       out.emit({l.shop, l.amount, r.amount});
                     })
                     .execute_and_collect()) == sorted(inner));
    switch (seed % 3) {
      case 0:
        CHECK(run(a.left_outer_join(b)) == with(inner, left_only));
        break;
      case 1:
        CHECK(run(a.right_outer_join(b)) == with(inner, right_only));
        break;
      default:
        CHECK(run(a.full_outer_join(b)) == with(with(inner, left_only), right_only));
    }
    if (w.memory_bytes > 1000)
      CHECK(sorted(a.co_group(b)
                       .where(&sale::shop)
                       .equal_to(&sale::shop)
                       .apply([](std::vector<sale>& l, std::vector<sale>& r,
                                 collector<shop_total>& out) {
                         out.emit({l.empty() ? r[0].shop : l[0].shop,
                                   static_cast<std::int64_t>(l.size()),
                                   static_cast<std::int64_t>(r.size())});
                       })
                       .execute_and_collect()) == sizes);
  }
}

TEST_CASE("cross pairs everything with everything") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    const auto lefts = w.sales(w.random() % 60, 9);
    const auto rights = w.sales(w.random() % 40, 9);
    std::vector<shop_total> expected;
    for (const auto& l : lefts)
      for (const auto& r : rights) expected.push_back({r.shop, l.amount, r.amount});
    CHECK(sorted(w.stream(lefts)
                     .cross(w.stream(rights),
                            [](const sale& l, const sale& r) {
                              return shop_total{r.shop, l.amount, r.amount};
                            })
                     .execute_and_collect()) == sorted(expected));
  }
}

TEST_CASE("full window partitions see all records of a subtask at its end") {
  struct counting final : aggregate_function<sale, std::int64_t, std::int64_t> {
    void add(std::int64_t& into, const sale&) const override { ++into; }
    std::int64_t get_result(const std::int64_t& from) const override { return from; }
    void merge(std::int64_t& into, const std::int64_t& from) const override { into += from; }
  };
  world w(3);
  w.env->set_parallelism(3);
  const auto rows = w.sales(100, 3);
  const auto stream = w.env->from_collection(rows).rebalance();
  const auto counts = stream.full_window_partition().aggregate(counting{}).execute_and_collect();
  CHECK(counts.size() == 3);
  CHECK(counts[0] + counts[1] + counts[2] == 100);
  CHECK(w.stream(rows).reduce(sum_of).execute_and_collect().size() == 1);

  const auto largest = stream.full_window_partition()
                           .map_partition([](std::vector<sale>& all, collector<sale>& out) {
                             if (!all.empty()) out.emit(*std::ranges::max_element(all));
                           })
                           .execute_and_collect();
  CHECK(largest.size() == 3);
  CHECK(std::ranges::max(largest) == std::ranges::max(rows));

  CHECK(stream.full_window_partition().first(5).execute_and_collect().size() == 3 * 5);
  CHECK(stream.full_window_partition().first(1000).execute_and_collect().size() == 100);

  // A subtask's records follow each other where they are sorted.
  const auto is_sorted = std::make_shared<bool>(true);
  const auto passed =
      stream.full_window_partition()
          .sort_partition(&sale::amount)
          .map([is_sorted, least = std::optional<std::int64_t>()](const sale& s) mutable {
            if (least && s.amount < *least) *is_sorted = false;
            least = s.amount;
            return s;
          })
          .execute_and_collect();
  CHECK(*is_sorted);
  CHECK(sorted(passed) == sorted(rows));

  const auto of_keys = stream.key_by(&sale::shop).full_window_partition().aggregate(counting{});
  CHECK(of_keys.execute_and_collect().size() == by_shop(rows).size());
}

TEST_CASE("in_order has the records of each key side by side, sorted if that is said") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    world w(seed);
    w.env->set_parallelism(1);
    const auto rows = w.sales(200, 7);
    const auto groups = w.stream(rows).group_by(&sale::shop);
    const auto plain = groups.in_order().execute_and_collect();
    const auto ordered =
        groups.sort_group(descending(&sale::amount)).in_order().execute_and_collect();
    for (const auto* all : {&plain, &ordered}) {
      CHECK(sorted(*all) == sorted(rows));
      std::size_t runs = 1;
      for (std::size_t i = 1; i < all->size(); ++i)
        if ((*all)[i].shop != (*all)[i - 1].shop) ++runs;
      CHECK(runs == by_shop(rows).size());
    }
    for (std::size_t i = 1; i < ordered.size(); ++i)
      if (ordered[i].shop == ordered[i - 1].shop) CHECK(ordered[i].amount <= ordered[i - 1].amount);
    // As they came, if not: the sort is stable.
    for (const auto& [shop, group] : by_shop(rows)) {
      std::vector<sale> got;
      std::ranges::copy_if(plain, std::back_inserter(got),
                           [&, &of = shop](const sale& s) { return s.shop == of; });
      CHECK(got == group);
    }
  }
}

TEST_CASE("records keep their timestamps when they are sorted") {
  world w(2);
  const auto rows = w.sales(50, 3);
  const auto times =
      as_bounded(w.env->from_collection(rows).assign_timestamps_and_watermarks(
                     watermark_strategy<sale>::for_monotonous_timestamps().with_timestamp_assigner(
                         [](const sale& s) { return s.amount; })))
          .sort_partition(&sale::note)
          .process([](const sale& s, process_context& now, collector<bool>& out) {
            out.emit(now.timestamp() == s.amount);
          })
          .execute_and_collect();
  CHECK(times == std::vector<bool>(50, true));
}

TEST_CASE("an unbounded source is named when a stream must end") {
  stream_environment env({}, std::make_shared<local_runner>());
  const auto endless = env.from_generator([](std::uint64_t i) { return i; })
                           .name("ticks")
                           .map([](std::uint64_t i) { return i; })
                           .name("copy");
  const std::string expected =
      "a stream that ends is needed here, but source 'ticks', which feeds 'copy', is unbounded: "
      "use windows, or a source that is bounded";
  CHECK_THROWS_WITH_AS(as_bounded(endless), expected.c_str(), failure);
  CHECK_THROWS_WITH_AS(endless.full_window_partition(), expected.c_str(), failure);
  CHECK_THROWS_WITH_AS(as_bounded(env.from_sequence(1, 3)).join(endless), expected.c_str(),
                       failure);
}

TEST_CASE("a group that does not fit is refused with what to do") {
  world w(4);
  const auto rows = w.sales(50, 1);
  CHECK_THROWS_WITH_AS(
      w.stream(rows)
          .group_by(&sale::shop)
          .reduce_group([](std::vector<sale>&, collector<sale>&) {})
          .name("whole groups")
          .execute_and_collect(),
      doctest::Contains("a group, or partition, of 'whole groups' takes more than 2 bytes after 1 "
                        "records and can't be handed over as a whole: raise "
                        "'taskmanager.memory.sort', or use a function that takes the records one "
                        "by one (reduce, aggregate, group_function)"),
      failure);
}

TEST_CASE("what a join keeps is within one setting, whatever it is for") {
  world w(2);
  const auto rows = w.sales(400, 1);
  CHECK_THROWS_WITH_AS(w.stream(rows)
                           .join(w.stream(rows))
                           .where(&sale::shop)
                           .equal_to(&sale::shop)
                           .apply(sum_of)
                           .execute_and_collect(),
                       doctest::Contains("takes more than 4000 bytes"), failure);
}

TEST_CASE("groups are aggregated by any object with the four functions, which is opened") {
  struct opened_total {
    bool is_open = false;

    void open(runtime_context&) { is_open = true; }
    std::int64_t create_accumulator() const { return is_open ? 0 : 1'000'000; }
    void add(std::int64_t& into, const sale& row) const { into += row.amount; }
    std::int64_t get_result(const std::int64_t& sum) const { return sum; }
    void merge(std::int64_t& into, const std::int64_t& from) const { into += from; }
  };
  world w(3);
  const auto rows = w.sales(100, 5);
  std::vector<std::int64_t> totals;
  for (const auto& [shop, group] : by_shop(rows)) {
    totals.push_back(0);
    for (const auto& row : group) totals.back() += row.amount;
  }
  CHECK(sorted(
            w.stream(rows).group_by(&sale::shop).aggregate(opened_total{}).execute_and_collect()) ==
        sorted(totals));
}

TEST_CASE("a full disk fails the job, and leaves no files") {
  world w(1);
  const auto rows = w.sales(500, 3);
  w.runner->files().fill_disk();
  CHECK_THROWS_WITH_AS(w.stream(rows).sort_partition(&sale::amount).execute_and_collect(),
                       doctest::Contains("No space left on device; check the disk of "
                                         "'io.tmp.dirs'"),
                       failure);
}

}  // namespace bounded_test
