#include "millrace/actors/cluster_client.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <deque>
#include <future>
#include <random>
#include <utility>
#include <vector>

#include "millrace/actors/embedded_job_client.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/node_network.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/actors/wire_bytes.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/sha256.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds connect_timeout{5};
constexpr std::chrono::seconds request_timeout{10};
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

/// The connection, shared by the client and its jobs' clients.
struct link {
  std::unique_ptr<node_network> network;
  caf::actor dispatcher;
  std::string master;  ///< host:port

  caf::actor_system& system() { return network->system(); }

  error explain(const caf::error& e) const {
    auto ours = from_caf(e);
    if (ours.code == errc::timeout)
      ours.message = "the job manager at " + master + " did not answer within " +
                     std::to_string(request_timeout.count()) + " s; look at its log";
    if (ours.code == errc::unreachable)
      ours = {errc::master_lost, "lost the connection to the job manager at " + master};
    return ours;
  }

  /// By an actor of its own, since a request to a node that is gone is answered by nothing but its
  /// timeout, and only a monitor tells at once.
  template <class Answer, class Request>
  result<Answer> ask(Request request, std::chrono::seconds timeout = request_timeout) {
    auto answer = std::make_shared<std::promise<result<Answer>>>();
    auto answered = answer->get_future();
    system().spawn(
        [this, answer, timeout, request = std::move(request)](caf::event_based_actor* self) {
          const auto finish = [this, answer, self](result<Answer> a) {
            answer->set_value(std::move(a));
            self->demonitor(dispatcher);
            self->quit();
          };
          self->set_down_handler([this, finish](const caf::down_msg&) {
            finish(tl::unexpected(explain(caf::sec::request_receiver_down)));
          });
          self->monitor(dispatcher);
          self->request(dispatcher, timeout, request)
              .then([finish](Answer& a) { finish(std::move(a)); },
                    [this, finish](const caf::error& e) { finish(tl::unexpected(explain(e))); });
        });
    return answered.get();
  }
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
    return link_->ask<wire::job_submitted>(wire::submit_job{std::move(graph)})
        .map([](const wire::job_submitted& s) { return s.job; });
  }

  result<wire::job_list> list_jobs() override {
    return link_->ask<wire::job_list>(wire::list_jobs{});
  }
  result<wire::job_details> describe(const job_id& job) override {
    return link_->ask<wire::job_details>(wire::describe_job{job});
  }
  status cancel(const job_id& job) override {
    return link_->ask<wire::ack>(wire::cancel_job{job}).map([](const wire::ack&) {});
  }
  result<wire::node_list> nodes() override {
    return link_->ask<wire::node_list>(wire::list_nodes{});
  }
  result<wire::checkpoint_list> checkpoints(const job_id& job) override {
    return link_->ask<wire::checkpoint_list>(wire::list_checkpoints{job});
  }
  result<checkpoint_record> take_checkpoint(const job_id& job) override {
    return link_->ask<wire::checkpoint_taken>(wire::take_checkpoint{job}, checkpoint_timeout)
        .map([](wire::checkpoint_taken taken) { return std::move(taken.checkpoint); });
  }
  result<std::unique_ptr<job_client>> job(const job_id& job) override {
    // That it exists is to be known now, not when somebody waits for it.
    return describe(job).map([&](const wire::job_details&) {
      return make_job_client(link_->system(), link_->dispatcher, job, link_, {});
    });
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
      return self->request(link_->dispatcher, request_timeout, std::move(chunk));
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
        return fail(errc::protocol, "the job manager at " + link_->master +
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

}  // namespace

result<std::unique_ptr<cluster_client>> cluster_client::connect(const configuration& config,
                                                                const std::string& host,
                                                                std::uint16_t port) {
  std::random_device entropy;
  const auto random = [&] { return (std::uint64_t{entropy()} << 32) | entropy(); };
  node_network_options options;
  options.id = make_id<resource_id>(random);
  auto connection = std::make_shared<link>();
  connection->master = host + ":" + std::to_string(port);
  auto network = node_network::make(config, std::move(options));
  if (!network) return tl::unexpected(network.error());
  connection->network = std::move(*network);

  auto dialed = std::make_shared<std::promise<result<transport::peer>>>();
  connection->network->endpoint().dial(
      host, port, connect_timeout,
      [dialed](result<transport::peer> outcome) { dialed->set_value(std::move(outcome)); });
  auto peer = dialed->get_future().get();
  if (!peer) {
    const auto& why = peer.error();
    return fail(why.code, "cannot reach the job manager at " + connection->master + ": " +
                              why.message + advice(why));
  }
  connection->dispatcher = caf::actor_cast<caf::actor>(peer->actor);
  if (!connection->dispatcher)
    return fail(errc::protocol, "the node at " + connection->master + " is no job manager");
  return std::make_unique<remote_client>(std::move(connection));
}

}  // namespace millrace
