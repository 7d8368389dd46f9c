#pragma once

#include <boost/program_options.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command_line.hpp"
#include "millrace/actors/cluster_client.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"

namespace millrace::cli {

/// The options that every command has.
void add_common_options(boost::program_options::options_description& options);

/// Where a cluster's job manager listens.
struct master_address {
  std::string host;
  std::uint16_t port = 0;
};

/// "host:port", "[address]:port", or a host alone, whose port is then `default_port`.
result<master_address> parse_master(const std::string& text, std::uint16_t default_port);

/// What a command line says for every command: the configuration and the cluster.
class cli_context {
 public:
  /// Reads the configuration file: --config, else millrace.conf of $MILLRACE_CONF_DIR, of the
  /// installation, or of the checkout that the program was built in; then -D and -m.
  static result<cli_context> from(const parsed_line& line);

  const configuration& config() const noexcept { return config_; }
  /// Whether somebody said which cluster: -m, $MILLRACE_MASTER, or jobmanager.rpc.address.
  bool names_cluster() const noexcept { return names_cluster_; }
  const master_address& master() const noexcept { return master_; }

  /// What -D said: the settings that travel with a job.
  std::vector<std::pair<std::string, std::string>> job_settings() const;
  /// Keys that -D set though neither a job nor this program reads them.
  std::vector<std::string> idle_settings() const;

  /// Errors: as of cluster_client::connect.
  result<std::unique_ptr<cluster_client>> connect() const;

 private:
  cli_context() = default;

  configuration config_;
  master_address master_;
  bool names_cluster_ = false;
};

}  // namespace millrace::cli
