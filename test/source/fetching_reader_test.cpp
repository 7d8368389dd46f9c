#include "millrace/source/fetching_reader.hpp"

#include <doctest/doctest.h>

#include "source/scripted_source.hpp"
#include "support/source_harness.hpp"

namespace fetching_reader_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::mark;
using test::mark_split;

namespace {

using chunk = std::vector<mark>;
constexpr std::int64_t chunk_size = 10;

class mark_fetcher final : public split_fetcher<chunk> {
 public:
  explicit mark_fetcher(mark_split split) : split_(std::move(split)) {}

  result<bool> fetch(chunk& into) override {
    into.clear();
    for (; split_.done < split_.count && std::ssize(into) < chunk_size; ++split_.done)
      into.push_back({split_.first + split_.done * split_.step, split_.name});
    return split_.done < split_.count;
  }

 private:
  mark_split split_;
};

class mark_fetching_reader final : public fetching_reader<mark, mark_split, chunk> {
 public:
  using fetching_reader::fetching_reader;

 protected:
  opener open_split(const mark_split& split) override {
    return [split]() -> result<std::unique_ptr<split_fetcher<chunk>>> {
      return std::make_unique<mark_fetcher>(split);
    };
  }
  bool emit(mark_split& split, chunk& all, source_output<mark>& out) override {
    for (const auto& each : all) out.emit(each);
    split.done += std::ssize(all);
    return false;
  }
};

class fetched_source final : public source<mark, mark_split> {
 public:
  fetched_source(std::vector<mark_split> splits, fetching_options options)
      : splits_(std::move(splits)), options_(options) {}

  boundedness ends() const noexcept override { return boundedness::bounded; }
  std::unique_ptr<source_reader<mark, mark_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<mark_fetching_reader>(context, options_);
  }
  std::unique_ptr<split_enumerator<mark_split, std::vector<mark_split>>> create_enumerator(
      enumerator_context& context) const override {
    return restore_enumerator(context, splits_);
  }
  std::unique_ptr<split_enumerator<mark_split, std::vector<mark_split>>> restore_enumerator(
      enumerator_context& context, std::vector<mark_split> state) const override {
    if (options_.requests_splits)
      return std::make_unique<queued_splits<mark_split>>(context, std::move(state));
    return std::make_unique<dealt_splits<mark_split>>(context, std::move(state));
  }

 private:
  std::vector<mark_split> splits_;
  fetching_options options_;
};

}  // namespace

TEST_CASE("splits that wait for their turn do not let an alignment group stand still") {
  // The reader is the only member: what it reports, and the drift, are the limit.
  constexpr auto drift = 50ms;
  const std::vector<mark_split> splits{
      {"a", 0, 100, 40}, {"b", 10'000, 100, 40}, {"c", 5'000, 100, 40}};
  for (const bool requests : {true, false}) {
    for (const std::size_t open_max : {1, 2}) {
      CAPTURE(requests);
      CAPTURE(open_max);
      test::source_harness<mark> h(
          std::make_shared<fetched_source>(splits, fetching_options{open_max, requests}),
          watermark_strategy<mark>::for_monotonous_timestamps()
              .with_timestamp_assigner(&mark::at)
              .with_watermark_alignment("group", drift, 200ms));
      h.open();
      h.op().on_alignment_limit("group", no_timestamp + drift.count());
      auto how = poll_status::more;
      std::size_t records = 0;
      for (int round = 0; round < 1'000 && how != poll_status::finished; ++round) {
        if (!h.op().is_busy()) how = h.poll_once();
        while (!h.manual().is_empty()) h.manual().run();
        records += h.take().size();
        h.pass_time(200ms);
        REQUIRE_FALSE(h.alignment_reports().empty());
        h.op().on_alignment_limit("group", h.alignment_reports().back().watermark + drift.count());
      }
      CHECK(how == poll_status::finished);
      CHECK(records == 120);
    }
  }
}

}  // namespace fetching_reader_test
