// The programs of docs/writing-a-job.md, which must compile and do what is said about them.

#include <doctest/doctest.h>

#include <sstream>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

namespace my {

class money {
 public:
  money() = default;
  explicit money(std::int64_t cents) : cents_(cents) {}
  std::int64_t cents() const { return cents_; }

 private:
  std::int64_t cents_ = 0;
};

}  // namespace my

template <>
struct millrace::codec<my::money> {
  static constexpr std::string_view type_name = "my::money";
  static void write(byte_writer& out, const my::money& m) { encode(out, m.cents()); }
  static bool read(byte_reader& in, my::money& m) {
    std::int64_t cents = 0;
    if (!decode(in, cents)) return false;
    m = my::money(cents);
    return true;
  }
};

namespace guide_test {

using namespace millrace;

namespace {

struct click {
  std::string user;
  std::uint64_t page;
  std::optional<std::string> referrer;
};

struct parse : millrace::rich_function {
  millrace::counter* malformed = nullptr;
  std::int64_t* total = nullptr;

  void open(millrace::runtime_context& self) override {
    malformed = &self.metric("malformed");
    total = &self.sum_accumulator("total bytes");
  }
  void operator()(const std::string& line, millrace::collector<click>& out) {
    *total += static_cast<std::int64_t>(line.size());
    std::istringstream words(line);
    click c{};
    if (words >> c.user >> c.page) out.emit(c);
  }
};

stream_environment make_env() {
  return stream_environment({}, std::make_shared<test::local_runner>());
}

}  // namespace

TEST_CASE("the guide: a record with a field that has a codec of its own") {
  struct payment {
    std::string from;
    my::money amount;
  };
  auto env = make_env();
  const auto rows = env.from_elements<payment>({{"a", my::money(5)}, {"b", my::money(7)}})
                        .rebalance()
                        .map([](const payment& p) { return p.amount.cents(); })
                        .execute_and_collect();
  CHECK(rows == std::vector<std::int64_t>{5, 7});
  const auto sent = encode_to_bytes(payment{"a", my::money(5)});
  const auto received = decode_bytes<payment>(sent);
  REQUIRE(received);
  CHECK(received->amount.cents() == 5);
}

TEST_CASE("the guide: sources, transformations and sinks are called as the tables say") {
  auto env = make_env();
  const auto endless = [](std::uint64_t i) { return click{"u" + std::to_string(i % 2), i, {}}; };
  env.from_generator(endless, {.per_second = 1000});
  env.socket_text_stream("localhost", 9999);
  env.read_text_file("logs/*.gz");
  env.add_source([](collector<int>&) { return poll_status::finished; });
  const auto clicks = env.from_generator(endless, 10);
  clicks.key_by(&click::user, &click::page).max(&click::page);
  clicks.partition_custom([](const std::string& user, std::uint32_t n) { return user.size() % n; },
                          &click::user);
  clicks.write_as_text("/out", {.mode = file_write_mode::overwrite});
  clicks.write_as_csv("/out", {.mode = file_write_mode::overwrite})
      .name("csv")
      .uid("csv")
      .set_parallelism(2)
      .set_max_parallelism(64)
      .slot_sharing_group("files")
      .disable_chaining()
      .start_new_chain();
}

TEST_CASE("the guide: event time is assigned as it says") {
  using namespace std::chrono_literals;
  struct timed_click {
    std::string user;
    std::int64_t at_ms = 0;
  };
  auto env = make_env();
  const auto clicks = env.from_elements<timed_click>({{"a", 5}, {"b", 7}});
  auto timed = clicks.assign_timestamps_and_watermarks(
      watermark_strategy<timed_click>::for_bounded_out_of_orderness(5s)
          .with_timestamp_assigner(&timed_click::at_ms)
          .with_idleness(1min));
  CHECK(timed.execute_and_collect().size() == 2);
}

TEST_CASE("the guide: a rich function's accumulator comes back with the result") {
  auto env = make_env();
  env.from_elements("a 1", "nonsense", "b 2").flat_map(parse{}).discard();
  const auto result = env.execute();
  CHECK(std::get<std::int64_t>(result.accumulators.at("total bytes").value) == 14);
}

TEST_CASE("the guide: a program of its own runs jobs and gets their records") {
  auto env = make_env();
  env.set_parallelism(4);
  const auto squares =
      env.from_sequence(1, 1000).map([](std::int64_t i) { return i * i; }).execute_and_collect();
  CHECK(squares.size() == 1000);
}

}  // namespace guide_test
