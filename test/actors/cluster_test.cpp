#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "millrace/actors/cluster_client.hpp"
#include "millrace/actors/cluster_node.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/transport/secret.hpp"
#include "support/graphs.hpp"
#include "support/temporary_directory.hpp"

namespace cluster_test {

// Real nodes with real connections, all in this process.

using namespace millrace;
using namespace std::chrono_literals;

namespace {

struct cluster {
  test::temporary_directory directory;
  std::string secret_file = directory.path("secret");
  std::unique_ptr<cluster_node> master;

  cluster() {
    redirect_log([](log_level, std::string_view) {});
    REQUIRE(transport::ensure_secret(secret_file));
    auto started = cluster_node::start(config("jobmanager"));
    REQUIRE(started);
    master = std::move(*started);
  }
  ~cluster() {
    master.reset();
    redirect_log({});
  }

  configuration config(const std::string& role) {
    configuration c;
    const auto set = [&](std::string_view key, const std::string& value) {
      REQUIRE(c.set(key, value, "test"));
    };
    set("node.role", role);
    set("jobmanager.rpc.address", "127.0.0.1");
    set("jobmanager.rpc.port", std::to_string(master ? master->port() : 0));
    set("security.cluster.secret-file", secret_file);
    set("io.tmp.dirs", directory.path("tmp"));
    set("taskmanager.numberOfTaskSlots", "2");
    set("taskmanager.worker.threads", "1");
    set("heartbeat.interval", "100 ms");
    set("heartbeat.timeout", "2 s");
    set("slot.request.timeout", "300 ms");
    set("cluster.registration.initial-timeout", "10 ms");
    set("client.timeout", "300 ms");
    return c;
  }

  std::unique_ptr<cluster_node> worker() {
    auto started = cluster_node::start(config("taskmanager"));
    REQUIRE(started);
    return std::move(*started);
  }
  std::unique_ptr<cluster_client> client() {
    auto connected = cluster_client::connect(config("taskmanager"), "127.0.0.1", master->port());
    REQUIRE(connected);
    return std::move(*connected);
  }
};

/// Waits for what happens in the background.
template <class Condition>
bool soon(Condition&& condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

}  // namespace

TEST_CASE_FIXTURE(cluster, "task managers find their master, and leave nothing behind") {
  auto tool = client();
  CHECK(tool->nodes()->nodes.empty());
  auto a = worker();
  auto b = worker();
  CHECK(soon([&] { return tool->nodes()->nodes.size() == 2; }));
  b->stop();
  CHECK(soon([&] { return tool->nodes()->nodes.size() == 1; }));
  const auto left = tool->nodes();
  CHECK(left->nodes[0].address == a->address());
  CHECK(left->nodes[0].slots_free == 2);
  a->stop();
  master->stop();
  CHECK(std::filesystem::is_empty(directory.path("tmp")));
}

TEST_CASE_FIXTURE(cluster, "a task manager joins a master that comes later, and again") {
  const auto port = master->port();
  auto a = worker();
  master->stop();
  auto c = config("jobmanager");
  REQUIRE(c.set("jobmanager.rpc.port", std::to_string(port), "test"));
  auto started = cluster_node::start(c);
  REQUIRE(started);
  master = std::move(*started);
  auto tool = client();
  CHECK(soon([&] { return tool->nodes()->nodes.size() == 1; }));
}

TEST_CASE_FIXTURE(cluster, "a library is uploaded once, and one that is none fails its job") {
  auto a = worker();
  auto tool = client();
  const auto library = directory.write("job.so", std::string(600'000, 'x'));
  std::vector<std::uint64_t> progress;
  const auto note = [&](std::uint64_t sent, std::uint64_t size) {
    CHECK(size == 600'000);
    progress.push_back(sent);
  };
  auto job = tool->submit(test::job_of(test::word_count()), library, note);
  REQUIRE(job);
  CHECK(progress == std::vector<std::uint64_t>{262'144, 524'288, 600'000});
  auto handle = tool->job(*job);
  REQUIRE(handle);
  const auto outcome = (*handle)->wait_for(20s);
  REQUIRE(outcome);
  REQUIRE_FALSE(*outcome);
  CHECK(outcome->error().code == errc::invalid_library);
  CHECK((*handle)->status() == graph::job_status::failed);
  CHECK(tool->list_jobs()->jobs.size() == 1);
  CHECK(tool->describe(*job)->cause->code == errc::invalid_library);

  REQUIRE(tool->submit(test::job_of(test::word_count()), library, note));
  CHECK(progress.size() == 3);
}

TEST_CASE_FIXTURE(cluster, "a job without task managers fails after the slot timeout") {
  auto tool = client();
  const auto library = directory.write("job.so", "x");
  auto job = tool->submit(test::job_of(test::word_count()), library, {});
  REQUIRE(job);
  auto handle = tool->job(*job);
  CHECK((*handle)->progress().waiting_for == "2 slots needed, 0 of 0 free");
  const auto outcome = (*handle)->wait_for(20s);
  REQUIRE(outcome);
  CHECK(outcome->error().code == errc::no_slots);
}

TEST_CASE_FIXTURE(cluster, "requests that cannot be met say why") {
  auto tool = client();
  CHECK(tool->cancel({1, 2}).error().message ==
        "no job with id 00000000000000010000000000000002; `millrace list -a` shows all, of those "
        "that have ended the latest");
  CHECK(tool->job({1, 2}).error().code == errc::unknown_job);
  const auto missing = tool->submit(test::job_of(test::word_count()), "/no/such/job.so", {});
  CHECK(missing.error().code == errc::not_found);

  const auto port = master->port();
  SUBCASE("when the master is gone meanwhile") {
    master.reset();
    const auto jobs = tool->list_jobs();
    REQUIRE_FALSE(jobs);
    CHECK(jobs.error().code == errc::master_lost);
    CHECK(jobs.error().message.starts_with(
        "lost the connection to the job manager at 127.0.0.1:" + std::to_string(port) +
        ", and it did not come back within 300 ms (client.timeout): "));
  }
  SUBCASE("when there is no master") {
    auto c = config("taskmanager");
    master.reset();
    const auto nobody = cluster_client::connect(c, "127.0.0.1", port);
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == errc::connection_refused);
    CHECK(nobody.error().message.starts_with(
        "cannot reach the job manager at 127.0.0.1:" + std::to_string(port) + ": "));
  }
  SUBCASE("when the secret is another") {
    auto c = config("taskmanager");
    REQUIRE(transport::ensure_secret(directory.path("other")));
    REQUIRE(c.set("security.cluster.secret-file", directory.path("other"), "test"));
    const auto stranger = cluster_client::connect(c, "127.0.0.1", port);
    REQUIRE_FALSE(stranger);
    CHECK(stranger.error().code == errc::authentication);
  }
  SUBCASE("when the secret is missing") {
    auto c = config("taskmanager");
    REQUIRE(c.set("security.cluster.secret-file", directory.path("none"), "my.conf:7"));
    const auto none = cluster_client::connect(c, "127.0.0.1", port);
    REQUIRE_FALSE(none);
    CHECK(none.error().message.starts_with("security.cluster.secret-file (my.conf:7): "));
  }
}

TEST_CASE_FIXTURE(cluster, "a second master on the same port is refused") {
  auto c = config("jobmanager");
  const auto second = cluster_node::start(c);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::address_in_use);
  CHECK(second.error().message.starts_with("jobmanager.rpc.port (test): "));
}

TEST_CASE_FIXTURE(cluster, "one process can be master and task manager") {
  master->stop();
  auto c = config("both");
  REQUIRE(c.set("jobmanager.rpc.port", "0", "test"));
  auto started = cluster_node::start(c);
  REQUIRE(started);
  master = std::move(*started);
  auto other = worker();
  auto tool = client();
  CHECK(soon([&] { return tool->nodes()->nodes.size() == 2; }));
}

}  // namespace cluster_test
