#include "millrace/actors/cluster_client.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/actors/ask_master.hpp"
#include "millrace/actors/embedded_job_client.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/node_network.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/actors/wire_bytes.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/human_units.hpp"
#include "millrace/core/options.hpp"
#include "millrace/core/sha256.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds connect_timeout{5};
constexpr std::chrono::seconds request_timeout{10};
constexpr std::chrono::milliseconds reconnect_pause{200};
/// The job master gives up much earlier (execution.checkpointing.timeout).
constexpr std::chrono::hours checkpoint_timeout{24};
/// Chunks on their way at a time: enough to keep disk and network busy, little for other traffic.
constexpr std::size_t upload_window = 4;

/// A library on disk: its size and hash, and its chunks.
class library_file {
 public:
  static result<library_file> open(const std::string& path) {
    local_file_system files;
    auto reader = files.open_reader(path);
    if (!reader) return tl::unexpected(reader.error());
    library_file file;
    file.reader_ = std::move(*reader);
    sha256 hasher;
    for (std::uint64_t offset = 0; offset < file.size();) {
      auto bytes = file.read(offset);
      if (!bytes) return tl::unexpected(bytes.error());
      if (bytes->empty())
        return fail(errc::io, "can't read '" + path + "': it shrinks while it is read");
      hasher.update(*bytes);
      offset += bytes->size();
    }
    file.sha256_ = to_string(hasher.finish());
    return file;
  }

  std::uint64_t size() const noexcept { return reader_->size(); }
  const std::string& sha256_hex() const noexcept { return sha256_; }

  /// The chunk at this offset, shorter only at the end.
  result<std::vector<std::byte>> read(std::uint64_t offset) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(
        std::min<std::uint64_t>(wire::artifact_chunk_bytes_max, size() - offset)));
    auto got = reader_->read_at(offset, bytes);
    if (!got) return tl::unexpected(got.error());
    bytes.resize(*got);
    return bytes;
  }

 private:
  std::unique_ptr<file_reader> reader_;
  std::string sha256_;
};

std::string advice(const error& e) {
  switch (e.code) {
    case errc::connection_refused:
      return "; is it running? `scripts/start-cluster.sh` starts a cluster on this machine";
    case errc::authentication:
      return "; both need the same " + std::string("security.cluster.secret-file");
    default:
      return "";
  }
}

/// The connection, shared by the client and its jobs' clients.
class link final : public master_access {
 public:
  link(std::unique_ptr<node_network> network, std::string host, std::uint16_t port,
       std::chrono::milliseconds patience)
      : network_(std::move(network)), host_(std::move(host)), port_(port), patience_(patience) {}

  caf::actor_system& system() override { return network_->system(); }
  caf::actor master() override {
    std::lock_guard guard(mutex_);
    return master_;
  }
  std::string address() const { return host_ + ":" + std::to_string(port_); }

  status connect() {
    auto dialed = std::make_shared<std::promise<result<transport::peer>>>();
    network_->endpoint().dial(
        host_, port_, connect_timeout,
        [dialed](result<transport::peer> outcome) { dialed->set_value(std::move(outcome)); });
    auto peer = dialed->get_future().get();
    if (!peer) {
      const auto& why = peer.error();
      return fail(why.code, "cannot reach the job manager at " + address() + ": " + why.message +
                                advice(why));
    }
    auto master = caf::actor_cast<caf::actor>(peer->actor);
    if (!master) return fail(errc::protocol, "the node at " + address() + " is no job manager");
    std::lock_guard guard(mutex_);
    master_ = std::move(master);
    node_ = peer->node;
    return {};
  }

  status reconnect(const caf::actor& lost) override {
    std::lock_guard one_at_a_time(reconnecting_);
    // A handle of another connection may be called equal to one that is dead.
    if (caf::actor_cast<caf::actor_control_block*>(master()) !=
        caf::actor_cast<caf::actor_control_block*>(lost))
      return {};
    // What is left of the connection would refuse the next dial.
    network_->endpoint().drop(node_);
    const auto until = std::chrono::steady_clock::now() + patience_;
    for (;;) {
      auto connected = connect();
      if (connected) return {};
      const auto& why = connected.error();
      if (!is_retryable(why.code) || std::chrono::steady_clock::now() >= until)
        return fail(errc::master_lost,
                    "lost the connection to the job manager at " + address() +
                        ", and it did not come back within " + format_duration(patience_) + " (" +
                        std::string(options::client_timeout.key) + "): " + why.message);
      std::this_thread::sleep_for(reconnect_pause);
    }
  }

  error explain(const caf::error& e) const {
    auto ours = from_caf(e);
    if (ours.code == errc::timeout)
      ours.message = "the job manager at " + address() + " did not answer within " +
                     std::to_string(request_timeout.count()) + " s; look at its log";
    if (ours.code == errc::unreachable)
      ours = {errc::master_lost, "lost the connection to the job manager at " + address()};
    return ours;
  }

  template <class Answer, class Request>
  result<Answer> ask(Request request, std::chrono::seconds timeout = request_timeout) {
    return ask_of<Answer>(master(), std::move(request), timeout);
  }

  /// For what may be asked twice: of whoever is the master by then.
  template <class Answer, class Request>
  result<Answer> ask_again(const Request& request) {
    const auto until = std::chrono::steady_clock::now() + patience_;
    for (;;) {
      const auto asked = master();
      auto answer = ask_of<Answer>(asked, request, request_timeout);
      if (answer || answer.error().code != errc::master_lost ||
          std::chrono::steady_clock::now() >= until)
        return answer;
      // Its dispatcher alone may be replaced: then the connection is as good as before.
      std::this_thread::sleep_for(reconnect_pause);
      if (is_down(asked))
        if (auto found = reconnect(asked); !found) return tl::unexpected(found.error());
    }
  }

 private:
  template <class Answer, class Request>
  result<Answer> ask_of(const caf::actor& whom, Request request, std::chrono::seconds timeout) {
    return ask_master<Answer>(system(), whom, std::move(request), timeout,
                              [this](const caf::error& e) { return explain(e); });
  }

  static bool is_down(const caf::actor& who) {
    return caf::actor_cast<caf::abstract_actor*>(who)->getf(
        caf::abstract_actor::is_terminated_flag);
  }

  std::unique_ptr<node_network> network_;
  const std::string host_;
  const std::uint16_t port_;
  const std::chrono::milliseconds patience_;
  std::mutex reconnecting_;
  std::mutex mutex_;  // of what follows
  caf::actor master_;
  caf::node_id node_;
};

class remote_client final : public cluster_client {
 public:
  explicit remote_client(std::shared_ptr<link> l) : link_(std::move(l)) {}

  result<job_id> submit(graph::job_graph graph, const std::filesystem::path& library,
                        const upload_progress& progress) override {
    if (!library.empty()) {
      auto sha256 = upload(library.string(), progress);
      if (!sha256) return tl::unexpected(sha256.error());
      graph.artifact = std::move(*sha256);
    }
    const auto bytes = encode_to_bytes(graph).size();
    if (bytes > wire::message_bytes_max)
      return fail(errc::invalid_graph, "the graph of job '" + graph.name + "' takes " +
                                           std::to_string(bytes) + " bytes, at most " +
                                           std::to_string(wire::message_bytes_max) +
                                           " are possible: shorten the job's arguments");
    auto submitted = link_->ask<wire::job_submitted>(wire::submit_job{std::move(graph)});
    if (!submitted && submitted.error().code == errc::master_lost)
      return fail(errc::master_lost, submitted.error().message +
                                         " while the job was submitted: `millrace list` shows "
                                         "whether it has taken the job");
    return submitted.map([](const wire::job_submitted& s) { return s.job; });
  }

  result<wire::job_list> list_jobs() override {
    return link_->ask_again<wire::job_list>(wire::list_jobs{});
  }
  result<wire::job_details> describe(const job_id& job) override {
    return link_->ask_again<wire::job_details>(wire::describe_job{job});
  }
  status cancel(const job_id& job) override {
    return link_->ask<wire::ack>(wire::cancel_job{job}).map([](const wire::ack&) {});
  }
  result<wire::node_list> nodes() override {
    return link_->ask_again<wire::node_list>(wire::list_nodes{});
  }
  result<wire::checkpoint_list> checkpoints(const job_id& job) override {
    return link_->ask_again<wire::checkpoint_list>(wire::list_checkpoints{job});
  }
  result<wire::checkpoint_details> describe_checkpoint(const job_id& job,
                                                       checkpoint_id checkpoint) override {
    return link_->ask_again<wire::checkpoint_details>(wire::describe_checkpoint{job, checkpoint});
  }
  result<checkpoint_record> take_checkpoint(const job_id& job) override {
    return link_->ask<wire::checkpoint_taken>(wire::take_checkpoint{job}, checkpoint_timeout)
        .map([](wire::checkpoint_taken taken) { return std::move(taken.checkpoint); });
  }
  status kill(const wire::kill_actor& which) override {
    return link_->ask<wire::ack>(which).map([](const wire::ack&) {});
  }
  result<checkpoint_record> take_savepoint(const job_id& job,
                                           const std::string& directory) override {
    return link_
        ->ask<wire::checkpoint_taken>(wire::take_savepoint{job, directory}, checkpoint_timeout)
        .map([](wire::checkpoint_taken taken) { return std::move(taken.checkpoint); });
  }
  result<checkpoint_record> stop(const job_id& job, const std::string& directory,
                                 bool drain) override {
    auto taken = link_->ask<wire::checkpoint_taken>(wire::stop_job{job, directory, drain},
                                                    checkpoint_timeout);
    if (!taken && taken.error().code == errc::master_lost)
      return fail(errc::master_lost,
                  taken.error().message +
                      "; if the savepoint was complete by then, the next master stops the job all "
                      "the same, and `millrace stop` again waits for that; else the job goes on");
    return taken.map([](wire::checkpoint_taken& t) { return std::move(t.checkpoint); });
  }
  result<std::unique_ptr<job_client>> job(const job_id& job) override {
    // That it exists is to be known now, not when somebody waits for it.
    return describe(job).map(
        [&](const wire::job_details&) { return make_job_client(link_, job, {}); });
  }

 private:
  /// The library's hash.
  result<std::string> upload(const std::string& path, const upload_progress& progress) {
    auto file = library_file::open(path);
    if (!file) return tl::unexpected(file.error());
    const auto& name = file->sha256_hex();
    const auto size = file->size();
    auto there = link_->ask<wire::artifact_status>(wire::artifact_offer{name, size});
    if (!there) return tl::unexpected(there.error());
    if (there->complete) return name;

    caf::scoped_actor self(link_->system());
    auto send = [&](wire::artifact_chunk chunk) {
      return self->request(link_->master(), request_timeout, std::move(chunk));
    };
    std::deque<decltype(send({}))> under_way;
    auto next = there->stored_bytes;
    while (!there->complete) {
      while (next < size && under_way.size() < upload_window) {
        auto bytes = file->read(next);
        if (!bytes) return tl::unexpected(bytes.error());
        if (bytes->empty()) return fail(errc::io, "can't read '" + path + "': it shrank");
        const auto offset = std::exchange(next, next + bytes->size());
        under_way.push_back(send({name, offset, size, std::move(*bytes)}));
      }
      if (under_way.empty())
        return fail(errc::protocol, "the job manager at " + link_->address() +
                                        " has all of the job library, but does not take it");
      under_way.front().receive(
          [&](const wire::artifact_status& s) { there = s; },
          [&](const caf::error& e) { there = tl::unexpected(link_->explain(e)); });
      under_way.pop_front();
      if (!there) return tl::unexpected(there.error());
      if (progress) progress(there->stored_bytes, size);
    }
    return name;
  }

  std::shared_ptr<link> link_;
};

}  // namespace

result<std::unique_ptr<cluster_client>> cluster_client::connect(const configuration& config,
                                                                const std::string& host,
                                                                std::uint16_t port) {
  std::random_device entropy;
  const auto random = [&] { return (std::uint64_t{entropy()} << 32) | entropy(); };
  node_network_options network_options;
  network_options.id = make_id<resource_id>(random);
  auto network = node_network::make(config, std::move(network_options));
  if (!network) return tl::unexpected(network.error());
  auto connection =
      std::make_shared<link>(std::move(*network), host, port, config.get(options::client_timeout));
  if (auto connected = connection->connect(); !connected) return tl::unexpected(connected.error());
  return std::make_unique<remote_client>(std::move(connection));
}

}  // namespace millrace
