#include "cli_context.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <vector>

#include "millrace/core/file_system.hpp"
#include "millrace/core/options.hpp"

namespace fs = std::filesystem;
namespace po = boost::program_options;

namespace millrace::cli {

namespace {

constexpr const char* config_name = "millrace.conf";
constexpr const char* command_line_origin = "-D";

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

/// Where a configuration is that belongs to this program: beside an installation's bin folder, or
/// in the checkout that holds its build folder.
std::optional<fs::path> own_config() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path prefix = program.parent_path().parent_path();
  for (const fs::path& folder : {prefix / "etc/millrace", prefix / "share/millrace/config",
                                 prefix.parent_path() / "config"}) {
    if (fs::is_regular_file(folder / config_name, ignored)) return folder / config_name;
  }
  return std::nullopt;
}

/// The file to read, if any. A file or folder that somebody named must be there.
result<std::optional<fs::path>> config_file(const po::variables_map& options) {
  if (options.count("config") > 0) return options["config"].as<std::string>();
  if (const auto folder = environment("MILLRACE_CONF_DIR")) {
    std::error_code ignored;
    if (!fs::is_directory(*folder, ignored))
      return fail(errc::invalid_config, "MILLRACE_CONF_DIR is '" + *folder +
                                            "', which is no directory; "
                                            "set it to the folder of millrace.conf, or unset it");
    const fs::path file = fs::path(*folder) / config_name;
    return fs::exists(file, ignored) ? std::optional(file) : std::nullopt;
  }
  return own_config();
}

result<configuration> read_config(const po::variables_map& options) {
  configuration config;
  const auto file = config_file(options);
  if (!file) return tl::unexpected(file.error());
  if (*file) {
    local_file_system files;
    auto read = load_configuration(files, (*file)->string());
    if (!read) return read;
    config = std::move(*read);
  }
  if (options.count("define") > 0) {
    for (const auto& assignment : options["define"].as<std::vector<std::string>>()) {
      if (auto set = config.set_assignment(assignment, command_line_origin); !set) {
        return tl::unexpected(set.error());
      }
    }
  }
  if (auto consistent = options::check(config); !consistent) {
    return tl::unexpected(consistent.error());
  }
  return config;
}

}  // namespace

void add_common_options(po::options_description& options) {
  options.add_options()                                                                          //
      ("jobmanager,m", po::value<std::string>()->value_name("HOST:PORT"), "the cluster to use")  //
      ("config", po::value<std::string>()->value_name("FILE"), "read this configuration file")   //
      ("define,D", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "set an option of the configuration; may be repeated")  //
      ("help,h", "explain this command");
}

result<master_address> parse_master(const std::string& text, std::uint16_t default_port) {
  const auto malformed = [&] {
    return fail(errc::invalid_argument,
                "'" + text + "' is not the address of a job manager: expected host:port");
  };
  master_address master{text, default_port};
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  if (colon != std::string::npos && (bracket == std::string::npos || bracket < colon)) {
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data() + colon + 1, end, master.port);
    if (problem != std::errc{} || rest != end || master.port == 0) return malformed();
    master.host = text.substr(0, colon);
  }
  if (master.host.starts_with('[') && master.host.ends_with(']')) {
    master.host = master.host.substr(1, master.host.size() - 2);
  } else if (master.host.find(':') != std::string::npos) {
    return malformed();
  }
  if (master.host.empty()) return malformed();
  return master;
}

result<cli_context> cli_context::from(const parsed_line& line) {
  cli_context context;
  auto config = read_config(line.options);
  if (!config) return tl::unexpected(config.error());
  context.config_ = std::move(*config);
  const auto port = context.config_.get(options::jobmanager_rpc_port);
  context.master_ = {context.config_.get(options::jobmanager_rpc_address), port};
  context.names_cluster_ = context.config_.has(options::jobmanager_rpc_address);

  std::optional<std::string> named = environment("MILLRACE_MASTER");
  if (line.options.count("jobmanager") > 0) named = line.options["jobmanager"].as<std::string>();
  if (named) {
    auto master = parse_master(*named, port);
    if (!master) return tl::unexpected(master.error());
    context.master_ = std::move(*master);
    context.names_cluster_ = true;
  }
  return context;
}

std::vector<std::pair<std::string, std::string>> cli_context::job_settings() const {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& [key, setting] : config_.settings()) {
    if (setting.origin == command_line_origin) settings.emplace_back(key, setting.value);
  }
  return settings;
}

std::vector<std::string> cli_context::idle_settings() const {
  // What this program goes by itself.
  static constexpr const option_info* own[] = {&options::jobmanager_rpc_address,
                                               &options::jobmanager_rpc_port,
                                               &options::client_timeout,
                                               &options::cluster_secret_file,
                                               &options::log_level,
                                               &options::log_dir,
                                               &options::log_file};
  std::vector<std::string> keys;
  for (const auto& [key, value] : job_settings()) {
    const auto* option = options::find(key);
    if (option->scope == option_scope::process && std::ranges::find(own, option) == std::end(own))
      keys.push_back(key);
  }
  return keys;
}

result<std::unique_ptr<cluster_client>> cli_context::connect() const {
  return cluster_client::connect(config_, master_.host, master_.port);
}

}  // namespace millrace::cli
