#include "millrace/actors/node_network.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"
#include "millrace/transport/actor_system_options.hpp"

namespace millrace {

namespace {

/// Where the secret of this machine's and user's own cluster is kept.
std::filesystem::path default_secret_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return std::filesystem::path(home) / ".millrace";
  return "/tmp/millrace-" + std::to_string(::getuid());
}

result<transport::cluster_secret> generated_secret() {
  const auto directory = default_secret_directory();
  std::error_code failed;
  if (std::filesystem::create_directories(directory, failed); !failed)
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, failed);
  if (failed)
    return fail(errc::permission_denied, "can't keep the cluster secret in " + directory.string() +
                                             ": " + failed.message() + "; set " +
                                             std::string(options::cluster_secret_file.key));
  return transport::ensure_secret(directory / "cluster.secret");
}

result<transport::cluster_secret> configured_secret(const configuration& config) {
  const auto& key = options::cluster_secret_file;
  auto secret = transport::load_secret(config.get(key));
  if (secret) return secret;
  return fail(secret.error().code,
              std::string(key.key) + " (" + config.origin_of(key) + "): " + secret.error().message);
}

void log_transport(transport::severity level, std::string_view line) {
  switch (level) {
    case transport::severity::info:
      return log_line(log_level::info, line);
    case transport::severity::warning:
      return log_line(log_level::warn, line);
    case transport::severity::error:
      return log_line(log_level::error, line);
  }
}

}  // namespace

node_network::system_config::system_config(std::size_t worker_threads) {
  transport::apply_engine_settings(*this, worker_threads, true);
  wire::register_types(*this);
}

node_network::node_network(std::size_t worker_threads, transport::endpoint_options options)
    : config_(worker_threads), system_(config_), endpoint_(system_, std::move(options)) {}

node_network::~node_network() {
  endpoint_.close();
  endpoint_.end_actors();
}

result<std::unique_ptr<node_network>> node_network::make(const configuration& config,
                                                         node_network_options options) {
  const bool is_configured = !config.get(options::cluster_secret_file).empty();
  auto secret = is_configured ? configured_secret(config) : generated_secret();
  if (!secret) return tl::unexpected(secret.error());
  transport::endpoint_options endpoint{.id = options.id, .secret = std::move(*secret)};
  endpoint.secret_is_configured = is_configured;
  endpoint.bind_host = options.bind_host;
  endpoint.port = options.port;
  endpoint.advertised_host = options.advertised_host;
  endpoint.log = log_transport;
  return std::unique_ptr<node_network>(
      new node_network(options.worker_threads, std::move(endpoint)));
}

}  // namespace millrace
