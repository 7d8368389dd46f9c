#include "millrace/actors/wire.hpp"

#include <doctest/doctest.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/message.hpp>
#include <limits>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire_bytes.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/stream/record_type.hpp"
#include "support/sample_values.hpp"

namespace wire_test {

using namespace millrace;

namespace {

struct wire_config : caf::actor_system_config {
  wire_config() {
    wire::register_types(*this);
    set("scheduler.policy", caf::atom("testing"));
  }
};

struct wire_fixture {
  wire_config config;
  caf::actor_system system{config};

  std::vector<char> save(caf::message message) {
    std::vector<char> bytes;
    caf::binary_serializer sink(system, bytes);
    REQUIRE_FALSE(sink(message));
    return bytes;
  }

  caf::error load(const std::vector<char>& bytes, caf::message& message) {
    caf::binary_deserializer source(system, bytes);
    // Not source(message): CAF swallows the error there, and delivers an empty message.
    return message.load(source);
  }

  template <class T>
  T round_trip(const T& sent) {
    caf::message received;
    REQUIRE_FALSE(load(save(caf::make_message(sent)), received));
    REQUIRE(received.match_elements<T>());
    return received.get_as<T>(0);
  }

  /// Every shorter version of the bytes is refused.
  void check_truncated(const std::vector<char>& bytes) {
    const std::size_t step = bytes.size() / 200 + 1;
    for (std::size_t n = 0; n < bytes.size(); n += step) {
      caf::message received;
      CHECK(load(std::vector<char>(bytes.begin(), bytes.begin() + static_cast<long>(n)), received));
    }
  }
};

struct word {
  std::string text;
  std::int64_t count = 0;
  bool operator==(const word&) const = default;
};

struct unencodable {
  int value = 0;
};

}  // namespace

}  // namespace wire_test

template <>
struct millrace::codec<wire_test::unencodable> {
  static constexpr std::string_view type_name = "test.unencodable";
  static void write(byte_writer& out, const wire_test::unencodable& x) {
    encode(out, x.value);
    throw std::runtime_error("no");
  }
  static bool read(byte_reader& in, wire_test::unencodable& x) { return decode(in, x.value); }
};

namespace wire_test {

namespace {

template <class T>
wire::channel_element element_with(std::vector<T> rows) {
  typed_batch_ptr<T> batch(new typed_batch<T>);
  batch->rows = std::move(rows);
  return {{{1, 2}, 3, 4, 5}, 6, record_batch{batch, 77}};
}

}  // namespace

TEST_CASE_FIXTURE(wire_fixture, "every message survives a trip between nodes"){
#define MILLRACE_TEST_WIRE_TYPE(name)                                                  \
  SUBCASE(#name) {                                                                     \
    test::sample_values samples;                                                       \
    const auto sent = samples.make<wire::name>();                                      \
    CHECK(encode_to_bytes(round_trip(sent)) == encode_to_bytes(sent));                 \
    CHECK(encode_to_bytes(round_trip(wire::name{})) == encode_to_bytes(wire::name{})); \
    check_truncated(save(caf::make_message(sent)));                                    \
  }
    MILLRACE_CODEC_WIRE_TYPES(MILLRACE_TEST_WIRE_TYPE)
#undef MILLRACE_TEST_WIRE_TYPE
}

TEST_CASE_FIXTURE(wire_fixture, "accumulators keep special floats exactly") {
  wire::job_result sent;
  sent.accumulators["nan"].value = std::numeric_limits<double>::quiet_NaN();
  sent.accumulators["inf"].value = -std::numeric_limits<double>::infinity();
  sent.accumulators["zero"].value = -0.0;
  CHECK(encode_to_bytes(round_trip(sent)) == encode_to_bytes(sent));
}

TEST_CASE_FIXTURE(wire_fixture, "a record batch arrives as bytes that its record type decodes") {
  const std::vector<word> rows{{"to", 1}, {"be", 2}, {"", -1}};
  const auto got = round_trip(element_with(rows));

  CHECK(got.consumer == execution_attempt_id{{1, 2}, 3, 4, 5});
  CHECK(got.input_channel == 6);
  const auto& batch = std::get<record_batch>(got.what);
  CHECK(batch.charge == 77);
  CHECK(batch.rows->size() == 3);
  CHECK(batch.rows->fingerprint() == fingerprint_of<word>());
  REQUIRE(batch.rows->is_encoded());
  auto decoded = record_type_of<word>().decode(static_cast<const encoded_batch&>(*batch.rows));
  REQUIRE(decoded);
  CHECK(rows_of<word>(**decoded) == rows);

  SUBCASE("and can travel on without being decoded") {
    const auto again = round_trip(got);
    const auto& passed_on = std::get<record_batch>(again.what);
    CHECK(static_cast<const encoded_batch&>(*passed_on.rows).bytes() ==
          static_cast<const encoded_batch&>(*batch.rows).bytes());
  }
}

TEST_CASE_FIXTURE(wire_fixture, "the end of input survives a trip between nodes") {
  const auto got = round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, end_of_input{}});
  CHECK(got.consumer == execution_attempt_id{{1, 2}, 3, 4, 5});
  CHECK(got.input_channel == 6);
  CHECK(std::holds_alternative<end_of_input>(got.what));
}

TEST_CASE_FIXTURE(wire_fixture, "the end of data survives a trip between nodes") {
  const auto got = round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, end_of_data{}});
  CHECK(got.input_channel == 6);
  CHECK(std::holds_alternative<end_of_data>(got.what));
}

TEST_CASE_FIXTURE(wire_fixture, "barriers survive a trip between nodes") {
  const barrier cut{{7}, checkpoint_kind::savepoint, barrier_alignment::unaligned, {}};
  const barrier incremental{
      {8}, checkpoint_kind::checkpoint, barrier_alignment::exactly_once, checkpoint_id{6}};
  const auto got = round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, cut});
  CHECK(got.input_channel == 6);
  CHECK(std::get<barrier>(got.what) == cut);
  const auto other = round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, incremental});
  CHECK(std::get<barrier>(other.what) == incremental);
  const auto given_up =
      round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, cancel_barrier{{7}}});
  CHECK(std::get<cancel_barrier>(given_up.what) == cancel_barrier{{7}});
}

TEST_CASE_FIXTURE(wire_fixture, "watermarks and idleness survive a trip between nodes") {
  for (const timestamp_ms at : {no_timestamp, timestamp_ms{-1}, timestamp_ms{1'700'000'000'000}}) {
    const auto got = round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, watermark{at}});
    CHECK(got.input_channel == 6);
    CHECK(std::get<watermark>(got.what) == watermark{at});
  }
  for (const auto status : {stream_status::active, stream_status::idle}) {
    const auto got = round_trip(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, status});
    CHECK(std::get<stream_status>(got.what) == status);
  }
}

TEST_CASE_FIXTURE(wire_fixture, "the timestamps of rows survive a trip between nodes") {
  auto element = element_with<word>({{"to", 1}, {"be", 2}});
  timestamps_of<word>(*std::get<record_batch>(element.what).rows) = {5, no_timestamp};
  const auto got = round_trip(element);
  const auto& batch = static_cast<const encoded_batch&>(*std::get<record_batch>(got.what).rows);
  const auto decoded = record_type_of<word>().decode(batch);
  REQUIRE(decoded);
  CHECK(timestamps_of<word>(**decoded) == timestamp_column{5, no_timestamp});
}

TEST_CASE_FIXTURE(wire_fixture, "a status that there is not is refused") {
  auto bytes =
      save(caf::make_message(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, stream_status::idle}));
  REQUIRE(bytes.back() == 1);
  bytes.back() = 2;
  caf::message received;
  const auto e = load(bytes, received);
  REQUIRE(e);
  CHECK(from_caf(e).message.find("neither active nor idle") != std::string::npos);
}

TEST_CASE_FIXTURE(wire_fixture, "a truncated element is refused") {
  check_truncated(save(caf::make_message(element_with<word>({{"to", 1}, {"be", 2}}))));
  check_truncated(
      save(caf::make_message(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, end_of_input{}})));
  check_truncated(
      save(caf::make_message(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, watermark{7}})));
  check_truncated(
      save(caf::make_message(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, stream_status::idle})));
}

TEST_CASE_FIXTURE(wire_fixture, "rows that cannot be encoded make the receiver fail, not vanish") {
  const auto got = round_trip(element_with<unencodable>({{1}, {2}}));
  const auto& batch = std::get<record_batch>(got.what);
  auto decoded =
      record_type_of<unencodable>().decode(static_cast<const encoded_batch&>(*batch.rows));
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code == errc::invalid_data);
  CHECK(decoded.error().message ==
        "a batch of 2 records of type 'test.unencodable' in 0 bytes cannot be decoded: can't "
        "decode: it has fewer bytes than so many records take (at byte 0 of 0)");
}

TEST_CASE_FIXTURE(wire_fixture, "rows beyond the frame limit make the receiver fail, not vanish") {
  const auto got =
      round_trip(element_with<std::string>({std::string(wire::message_bytes_max, 'x')}));
  const auto& batch = std::get<record_batch>(got.what);
  CHECK_FALSE(record_type_of<std::string>().decode(static_cast<const encoded_batch&>(*batch.rows)));
}

TEST_CASE_FIXTURE(wire_fixture, "an element of an unknown kind is refused") {
  auto bytes = save(caf::make_message(wire::channel_element{{{1, 2}, 3, 4, 5}, 6, end_of_input{}}));
  REQUIRE(bytes.back() == 1);
  bytes.back() = 99;
  caf::message received;
  const auto e = load(bytes, received);
  REQUIRE(e);
  CHECK(from_caf(e).message.find("of a kind that there is not") != std::string::npos);
}

TEST_CASE_FIXTURE(wire_fixture, "a message beyond the frame limit is refused by its sender") {
  std::vector<char> bytes;
  caf::binary_serializer sink(system, bytes);
  wire::artifact_chunk chunk;
  chunk.bytes.resize(wire::message_bytes_max + 1);
  const auto e = inspect(sink, chunk);
  REQUIRE(e);
  CHECK(from_caf(e).code == errc::invalid_data);
}

TEST_CASE_FIXTURE(wire_fixture, "a hostile length allocates nothing") {
  // The length of a sequence as CAF writes it: 2^32-1.
  const std::vector<char> bytes{'\xff', '\xff', '\xff', '\xff', '\x0f', 'x'};
  caf::binary_deserializer source(system, bytes);
  wire::job_details details;
  const auto e = inspect(source, details);
  REQUIRE(e);
  CHECK(from_caf(e).message == "a message says it has 4294967295 bytes, but 1 are there");
}

TEST_CASE_FIXTURE(wire_fixture, "an error keeps its code and message in an answer") {
  const error sent{errc::task_manager_lost, "task manager \"a:1\" was lost"};
  caf::error answer;
  {
    std::vector<char> bytes;
    caf::binary_serializer sink(system, bytes);
    auto saved = to_caf(sent);
    REQUIRE_FALSE(sink(saved));
    caf::binary_deserializer source(system, bytes);
    REQUIRE_FALSE(source(answer));
  }
  CHECK(from_caf(answer) == sent);
}

TEST_CASE("errors of CAF become ours") {
  CHECK(from_caf(caf::sec::request_timeout) == error{errc::timeout, "request_timeout"});
  CHECK(from_caf(caf::sec::request_receiver_down).code == errc::unreachable);
  CHECK(from_caf(caf::sec::runtime_error).code == errc::internal);
}

}  // namespace wire_test
