#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/task_actor_credit.hpp"
#include "millrace/actors/task_manager_artifact.hpp"
#include "millrace/actors/task_manager_channels.hpp"
#include "millrace/actors/task_manager_heartbeat.hpp"
#include "millrace/actors/task_manager_peers.hpp"

namespace worker_decisions_test {

using namespace millrace;
using namespace std::chrono_literals;

namespace {

using time_point = std::chrono::steady_clock::time_point;

time_point at(std::chrono::milliseconds ms) {
  return time_point(ms);
}

resource_id node(std::uint64_t n) {
  return {0, n};
}

wire::peer_location where(std::uint64_t n) {
  return {node(n), "host" + std::to_string(n), static_cast<std::uint16_t>(7000 + n)};
}

peer_table table(std::uint64_t self, bool hosts_master = false) {
  peer_table::options o;
  o.self = node(self);
  o.hosts_master = hosts_master;
  o.connect_timeout = 1000ms;
  o.retry_first = 10ms;
  o.retry_longest = 20ms;
  return peer_table(o);
}

using kind = peer_table::action_kind;

std::vector<std::pair<kind, std::uint64_t>> summary(const std::vector<peer_table::action>& all) {
  std::vector<std::pair<kind, std::uint64_t>> s;
  for (const auto& a : all) s.emplace_back(a.kind, a.peer.resource.low);
  return s;
}

}  // namespace

// -- credit ---------------------------------------------------------------------------------------

TEST_CASE("Credit is summed up per channel until the step ends") {
  credit_accumulator credit(3, 1000);
  CHECK(credit.owe(2, 100) == 0);
  CHECK(credit.owe(0, 50) == 0);
  CHECK(credit.owe(2, 100) == 0);
  std::vector<std::pair<std::uint32_t, std::uint64_t>> sent;
  credit.settle([&](auto channel, auto charge) { sent.emplace_back(channel, charge); });
  CHECK(sent == decltype(sent){{2, 200}, {0, 50}});
  sent.clear();
  credit.settle([&](auto channel, auto charge) { sent.emplace_back(channel, charge); });
  CHECK(sent.empty());
}

TEST_CASE("Credit is returned at once when half of a channel's window is owed") {
  credit_accumulator credit(1, 1000);
  CHECK(credit.owe(0, 499) == 0);
  CHECK(credit.owe(0, 1) == 500);
  CHECK(credit.owe(0, 10) == 0);
  std::uint64_t rest = 0;
  credit.settle([&](auto, auto charge) { rest += charge; });
  CHECK(rest == 10);
}

// -- heartbeats -----------------------------------------------------------------------------------

TEST_CASE("A master that does not answer for the timeout is lost") {
  master_heartbeat beat(1000ms, 3000ms, at(0ms));
  for (int s = 1; s <= 4; ++s) {
    CHECK_FALSE(beat.is_lost(at(s * 1000ms)));
    beat.answered(beat.next(), at(s * 1000ms));
  }
  CHECK_FALSE(beat.is_lost(at(5000ms)));
  CHECK_FALSE(beat.is_lost(at(6000ms)));
  CHECK(beat.is_lost(at(7000ms)));
}

TEST_CASE("Answers to heartbeats that were never sent do not count") {
  master_heartbeat beat(1000ms, 2000ms, at(0ms));
  CHECK_FALSE(beat.is_lost(at(1000ms)));
  beat.answered(7, at(1500ms));
  CHECK(beat.is_lost(at(2000ms)));
}

TEST_CASE("A process that was stopped itself does not blame the master") {
  master_heartbeat beat(1000ms, 3000ms, at(0ms));
  CHECK_FALSE(beat.is_lost(at(60'000ms)));
  CHECK_FALSE(beat.is_lost(at(61'000ms)));
  CHECK_FALSE(beat.is_lost(at(62'000ms)));
  CHECK(beat.is_lost(at(63'000ms)));
}

TEST_CASE("Back-off doubles up to its limit and starts again after success") {
  back_off pause(100ms, 350ms);
  CHECK(pause.next() == 100ms);
  CHECK(pause.next() == 200ms);
  CHECK(pause.next() == 350ms);
  CHECK(pause.next() == 350ms);
  pause.reset();
  CHECK(pause.next() == 100ms);
}

// -- channels -------------------------------------------------------------------------------------

TEST_CASE("Requests for channels wait for their producer, in order") {
  pending_channels<int> pending(100ms);
  const execution_attempt_id a{{1, 1}, 0, 0, 0};
  const execution_attempt_id b{{1, 1}, 0, 1, 0};
  pending.hold(a, 1, at(0ms));
  pending.hold(b, 2, at(0ms));
  pending.hold(a, 3, at(1ms));
  CHECK(pending.take(a) == std::vector<int>{1, 3});
  CHECK(pending.take(a).empty());
  CHECK(pending.size() == 1);
}

TEST_CASE("Requests for channels of another attempt are not served") {
  pending_channels<int> pending(100ms);
  pending.hold({{1, 1}, 0, 0, 0}, 1, at(0ms));
  CHECK(pending.take({{1, 1}, 0, 0, 1}).empty());
}

TEST_CASE("Requests for channels are dropped when their time is up, or their job is over") {
  pending_channels<int> pending(100ms);
  pending.hold({{1, 1}, 0, 0, 0}, 1, at(0ms));
  pending.hold({{1, 1}, 0, 0, 0}, 2, at(50ms));
  pending.hold({{2, 2}, 0, 0, 0}, 3, at(50ms));
  const auto late = pending.expire(at(100ms));
  REQUIRE(late.size() == 1);
  CHECK(late[0].second == 1);
  pending.drop({1, 1});
  CHECK(pending.size() == 1);
}

// -- artifacts ------------------------------------------------------------------------------------

TEST_CASE("A download asks for one chunk after the other and knows its end") {
  const std::string sha(64, 'a');
  artifact_download d(sha);
  CHECK_FALSE(d.is_complete());
  CHECK(d.next_request().offset == 0);
  REQUIRE(d.accept({sha, 0, 5, std::vector<std::byte>(3)}));
  CHECK(d.next_request().offset == 3);
  REQUIRE(d.accept({sha, 3, 5, std::vector<std::byte>(2)}));
  CHECK(d.is_complete());
}

TEST_CASE("Chunks that do not fit are refused by name") {
  const std::string sha(64, 'a');
  const auto refused = [&](wire::artifact_chunk chunk) {
    artifact_download d(sha);
    REQUIRE(d.accept({sha, 0, 5, std::vector<std::byte>(3)}));
    const auto s = d.accept(chunk);
    REQUIRE_FALSE(s);
    CHECK(s.error().code == errc::protocol);
    return s.error().message;
  };
  CHECK(refused({"b", 3, 5, std::vector<std::byte>(2)}).ends_with("belongs to b"));
  CHECK(refused({sha, 0, 5, std::vector<std::byte>(2)}).ends_with("starts at byte 0"));
  CHECK(refused({sha, 3, 6, std::vector<std::byte>(2)}).ends_with("changed the library's size"));
  CHECK(refused({sha, 3, 5, std::vector<std::byte>(3)}).ends_with("goes past the library's end"));
  CHECK(refused({sha, 3, 5, {}}).ends_with("is empty"));
}

TEST_CASE("Only hashes are names of artifacts") {
  CHECK(is_artifact_name(std::string(64, '0')));
  CHECK_FALSE(is_artifact_name(std::string(63, '0')));
  CHECK_FALSE(is_artifact_name(std::string(64, '/')));
  CHECK_FALSE(is_artifact_name(std::string(64, 'A')));
}

// -- peers ----------------------------------------------------------------------------------------

TEST_CASE("Of two task managers the one with the smaller id dials") {
  auto small = table(1);
  small.want(where(2), at(0ms));
  CHECK(summary(small.act(at(0ms))) == decltype(summary({})){{kind::dial, 2}});
  CHECK(small.act(at(1ms)).empty());
  auto large = table(3);
  large.want(where(2), at(0ms));
  CHECK(large.act(at(0ms)).empty());
  large.greeted(node(2));
  CHECK(large.is_connected(node(2)));
}

TEST_CASE("A task manager in the master's process is greeted by the connection that is there") {
  auto us = table(1);
  us.set_master(node(9));
  us.want(where(9), at(0ms));
  CHECK(summary(us.act(at(0ms))) == decltype(summary({})){{kind::greet_master, 9}});
  auto at_master = table(1, true);
  at_master.want(where(9), at(0ms));
  CHECK(at_master.act(at(0ms)).empty());
}

TEST_CASE("A dial that fails is repeated with growing pauses until time is up") {
  auto us = table(1);
  us.want(where(2), at(0ms));
  (void)us.act(at(0ms));
  const error refused{errc::connection_refused, "refused"};
  REQUIRE(us.dialed(node(2), refused, at(1ms)));
  CHECK(us.act(at(5ms)).empty());
  CHECK(us.next_action() == at(11ms));
  CHECK(summary(us.act(at(11ms))) == decltype(summary({})){{kind::dial, 2}});
  REQUIRE(us.dialed(node(2), refused, at(12ms)));
  CHECK(us.next_action() == at(32ms));
  const auto last = us.act(at(1000ms));
  REQUIRE(last.size() == 1);
  CHECK(last[0].kind == kind::give_up);
  CHECK(last[0].cause.message == "cannot connect to task manager host2:7002: refused");
  CHECK(us.size() == 0);
}

TEST_CASE("A peer that refuses our secret is given up at once") {
  auto us = table(1);
  us.want(where(2), at(0ms));
  (void)us.act(at(0ms));
  REQUIRE(us.dialed(node(2), error{errc::authentication, "another secret"}, at(5ms)));
  CHECK(summary(us.act(at(5ms))) == decltype(summary({})){{kind::give_up, 2}});
}

TEST_CASE("A peer that never dials us is given up with its address") {
  auto us = table(3);
  us.want(where(2), at(0ms));
  CHECK(us.next_action() == at(1000ms));
  const auto late = us.act(at(1000ms));
  REQUIRE(late.size() == 1);
  CHECK(late[0].cause.code == errc::unreachable);
  CHECK(late[0].cause.message.find("host2:7002 did not connect to us") != std::string::npos);
}

TEST_CASE("A peer that was lost can be wanted again") {
  auto us = table(1);
  us.want(where(2), at(0ms));
  (void)us.act(at(0ms));
  REQUIRE(us.dialed(node(2), {}, at(1ms)));
  us.greeted(node(2));
  CHECK_FALSE(us.next_action());
  const auto lost = us.lost(node(2));
  REQUIRE(lost);
  CHECK(lost->host == "host2");
  us.want(where(2), at(5ms));
  CHECK(summary(us.act(at(5ms))) == decltype(summary({})){{kind::dial, 2}});
}

}  // namespace worker_decisions_test
