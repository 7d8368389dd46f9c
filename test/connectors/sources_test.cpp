#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "millrace/connectors/collection_source.hpp"
#include "millrace/connectors/file_source.hpp"
#include "millrace/connectors/generator_source.hpp"
#include "millrace/connectors/sequence_source.hpp"
#include "millrace/connectors/socket_source.hpp"
#include "support/source_harness.hpp"

namespace sources_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::source_harness;

namespace {

using harness = source_harness<std::string>;

/// What a scripted peer does, one word per call: "refuse", "accept", "wait", "end", "reset", or
/// text that is received.
struct script {
  std::vector<std::string> steps;
  std::size_t next = 0;
  int sockets = 0;
};

class scripted_socket final : public text_socket {
 public:
  explicit scripted_socket(std::shared_ptr<script> s) : script_(std::move(s)) {
    ++script_->sockets;
  }
  result<outcome> connect() override {
    const auto step = take();
    if (step == "refuse")
      return fail(errc::connection_refused, "cannot connect to h:1: Connection refused");
    return step == "accept" ? outcome::done : outcome::pending;
  }
  result<outcome> receive(std::string& into) override {
    into = take();
    if (into == "wait") return outcome::pending;
    if (into == "end") return outcome::ended;
    if (into == "reset") return fail(errc::io, "lost the connection to h:1: Connection reset");
    return outcome::done;
  }

 private:
  std::string take() {
    REQUIRE(script_->next < script_->steps.size());
    return script_->steps[script_->next++];
  }
  std::shared_ptr<script> script_;
};

/// A TCP server on a free port of the loopback, for one client.
class test_server {
 public:
  test_server() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    REQUIRE(::bind(listening_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(listening_, 1) == 0);
    REQUIRE(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address_), &size) == 0);
  }
  ~test_server() {
    if (client_ >= 0) ::close(client_);
    ::close(listening_);
  }
  test_server(const test_server&) = delete;
  test_server& operator=(const test_server&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }
  void accept() {
    client_ = ::accept(listening_, nullptr, nullptr);
    REQUIRE(client_ >= 0);
  }
  void send(std::string_view text) {
    REQUIRE(::send(client_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  /// Closes without waiting for anything: the client is told by a reset.
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    REQUIRE(::setsockopt(client_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    ::close(std::exchange(client_, -1));
  }

 private:
  int listening_;
  int client_ = -1;
  sockaddr_in address_{};
};

/// Calls until something has happened.
template <class Call>
result<text_socket::outcome> until_done(Call call) {
  for (;;)
    if (auto outcome = call(); !outcome || *outcome != text_socket::outcome::pending)
      return outcome;
}

struct socket_run {
  explicit socket_run(std::vector<std::string> steps, socket_source_options options = {})
      : peer(std::make_shared<script>(script{std::move(steps)})),
        source(make_text_socket([p = peer] { return std::make_unique<scripted_socket>(p); },
                                options)) {
    source.open();
  }

  /// Until the source ends, or fails. Pauses that were waited for are added to `pauses`.
  void run() {
    while (source.poll_all() != poll_status::finished) {
      const auto pause = source.woken_at() - source.clock_now().now();
      pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(pause));
      source.clock_now().advance_to(source.woken_at());
    }
  }

  std::shared_ptr<script> peer;
  harness source;
  std::vector<std::chrono::milliseconds> pauses;
};

}  // namespace

TEST_CASE("the file source reads ahead by one chunk and emits lines across chunks") {
  harness source(make_text_files("/in", {.chunk_bytes = 4}));
  source.memory().put("/in", "one\ntwo three\n\nfour");
  source.open();
  CHECK(source.poll_all(false) == poll_status::idle);
  CHECK(source.manual().size() == 1);
  CHECK(source.poll_all() == poll_status::finished);
  CHECK(source.take() == std::vector<std::string>{"one", "two three", "", "four"});
  CHECK(source.source().progress().done == 19);
  CHECK(source.source().progress().total == 19);
}

TEST_CASE("the file source says which path it cannot read") {
  harness source(make_text_files("/none", {}));
  source.open();
  CHECK_THROWS_WITH_AS(source.poll_all(), "cannot read '/none': No such file or directory",
                       failure);
}

TEST_CASE("a file source that is closed does not mind its read being finished") {
  harness source(make_text_files("/in", {}));
  source.memory().put("/in", "one\n");
  source.open();
  source.close();
  source.manual().run_all_without_completion();
}

TEST_CASE("the socket source emits lines as they come, and the rest at the end") {
  socket_run run({"wait", "accept", "one\ntw", "wait", "o\r\n\xff\xfe\n", "th", "ree", "end"});
  run.run();
  CHECK(run.source.take() == std::vector<std::string>{"one", "two", "\xff\xfe", "three"});
  CHECK(run.peer->sockets == 1);
}

TEST_CASE("the socket source tries again with growing pauses, then gives up") {
  socket_run run({"refuse", "refuse", "refuse", "refuse"});
  CHECK_THROWS_WITH_AS(
      run.run(), "cannot connect to h:1: Connection refused (gave up after 3 retries)", failure);
  CHECK(run.pauses == std::vector<std::chrono::milliseconds>{100ms, 200ms, 400ms});
}

TEST_CASE("a connection that came about starts the retries afresh") {
  socket_run run({"refuse", "refuse", "accept", "one\n", "reset", "refuse", "accept", "two", "end"},
                 {.retries_max = 2});
  run.run();
  CHECK(run.source.take() == std::vector<std::string>{"one", "two"});
  CHECK(run.pauses == std::vector<std::chrono::milliseconds>{100ms, 200ms, 100ms, 200ms});
}

TEST_CASE("the socket source can go on when the peer closes the connection") {
  socket_run run({"accept", "one", "end", "accept", "two\n", "end", "refuse"},
                 {.retries_max = 1, .reconnects_at_end = true});
  CHECK_THROWS_AS(run.run(), failure);
  CHECK(run.source.take() == std::vector<std::string>{"one", "two"});
}

TEST_CASE("a real refused connection names host and port") {
  harness source(make_text_socket("127.0.0.1", 1, {.retries_max = 0}));
  source.open();
  CHECK_THROWS_WITH_AS(source.poll_all(), "cannot connect to 127.0.0.1:1: Connection refused",
                       failure);
}

TEST_CASE("a host name that there is not is named, with the reason") {
  // No label of a name has more than 63 characters, so nobody is asked.
  const std::string host(70, 'x');
  harness source(make_text_socket(host, 1, {.retries_max = 0}));
  source.open();
  CHECK_THROWS_WITH_AS(source.poll_all(),
                       ("cannot connect to " + host + ":1: Name or service not known").c_str(),
                       failure);
}

TEST_CASE("a real connection that is reset is an error that names host and port") {
  test_server server;
  const auto socket = make_tcp_socket("127.0.0.1", server.port());
  std::string received;
  REQUIRE(until_done([&] { return socket->connect(); }));
  server.accept();
  server.send("one\n");
  REQUIRE(until_done([&] { return socket->receive(received); }));
  CHECK(received == "one\n");
  server.reset();
  const auto lost = until_done([&] { return socket->receive(received); });
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == errc::io);
  CHECK(lost.error().message == "lost the connection to 127.0.0.1:" +
                                    std::to_string(server.port()) + ": Connection reset by peer");
}

TEST_CASE("a sequence is split into contiguous parts, to the ends of int64") {
  const auto part = [](std::int64_t first, std::int64_t last, std::uint32_t s, std::uint32_t n) {
    runtime_context::identity self;
    self.subtask_index = s;
    self.parallelism = n;
    source_harness<std::int64_t> source(make_sequence(first, last), self);
    source.open();
    source.poll_all();
    return source.take();
  };
  using numbers = std::vector<std::int64_t>;
  CHECK(part(1, 5, 0, 2) == numbers{1, 2});
  CHECK(part(1, 5, 1, 2) == numbers{3, 4, 5});
  CHECK(part(1, 0, 0, 1).empty());
  CHECK(part(1, 2, 0, 3).empty());
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  CHECK(part(max - 1, max, 0, 1) == numbers{max - 1, max});
  CHECK(part(max - 1, max, 1, 2) == numbers{max});
}

TEST_CASE("a generator with a rate emits what is due and says when to look again") {
  source_harness<std::uint64_t> source(make_generator<std::uint64_t>(
      [](std::uint64_t i) { return i; }, {.count = {}, .per_second = 4.0}));
  source.open();
  CHECK(source.poll_all() == poll_status::idle);
  CHECK(source.take().empty());
  CHECK(source.woken_at() == source.clock_now().now() + 250ms);
  source.clock_now().advance(600ms);
  source.poll_all();
  CHECK(source.take().size() == 2);
  // A stall of a minute is made up for by a second's worth only.
  source.clock_now().advance(60s);
  source.poll_all();
  CHECK(source.take().size() <= 8);
}

}  // namespace sources_test
