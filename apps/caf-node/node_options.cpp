#include "node_options.hpp"

#include <boost/program_options.hpp>
#include <sstream>
#include <string_view>

#include "millrace/core/edit_distance.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/options.hpp"

namespace po = boost::program_options;

namespace millrace::node {

namespace {

po::options_description command_line_options() {
  po::options_description options("Options", 100);
  options.add_options()                                                                         //
      ("config", po::value<std::string>()->value_name("FILE"), "read this configuration file")  //
      ("role", po::value<std::string>()->value_name("ROLE"),
       "jobmanager, taskmanager or both; sets node.role")  //
      ("define,D", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "set a configuration key, over the file; may be repeated")  //
      ("log-file", po::value<std::string>()->value_name("FILE"),
       "append the log to this file instead of standard error; sets log.file")  //
      ("pid-file", po::value<std::string>()->value_name("FILE"),
       "write the process id to this file, and remove it at the end")                       //
      ("print-config", "show every configuration key with its value and origin, and exit")  //
      ("print-config-reference",
       "show the documentation of every configuration key as Markdown, and exit")  //
      ("help,h", "show this text, and exit")                                       //
      ("version", "show the version, and exit");
  return options;
}

/// " (did you mean '--config'?)", or nothing.
std::string suggestion(const std::string& typed, const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  const std::vector<std::string_view> words(names.begin(), names.end());
  const std::string_view nearest = nearest_word(typed, words);
  return nearest.empty() ? "" : " (did you mean '" + std::string(nearest) + "'?)";
}

result<po::variables_map> parse(int argc, const char* const* argv,
                                const po::options_description& options) {
  using style = po::command_line_style::style_t;
  try {
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv)
                  .options(options)
                  .style(style::unix_style & ~style::allow_guessing)
                  .positional({})
                  .run(),
              values);
    po::notify(values);
    return values;
  } catch (const po::unknown_option& unknown) {
    const std::string name = unknown.get_option_name();
    return fail(errc::invalid_argument,
                "unknown option '" + name + "'" + suggestion(name, options));
  } catch (const po::too_many_positional_options_error&) {
    return fail(errc::invalid_argument, "only options are expected (see --help)");
  } catch (const po::error& problem) {
    return fail(errc::invalid_argument, problem.what());
  }
}

}  // namespace

tl::expected<node_options, std::vector<error>> read_node_options(int argc,
                                                                 const char* const* argv) {
  node_options read;
  std::vector<error> problems;
  const auto note = [&](const status& outcome) {
    if (!outcome) problems.push_back(outcome.error());
  };
  const auto options = command_line_options();
  const auto line = parse(argc, argv, options);
  if (!line) return tl::unexpected(std::vector{line.error()});
  const auto text_of = [&](const char* name) {
    return line->count(name) > 0 ? (*line)[name].as<std::string>() : std::string();
  };

  if (line->count("help") > 0) {
    read.what = action::show_help;
    return read;
  }
  if (line->count("version") > 0) {
    read.what = action::show_version;
    return read;
  }
  if (line->count("print-config-reference") > 0) {
    read.what = action::print_config_reference;
    return read;
  }
  if (line->count("config") > 0) {
    local_file_system files;
    auto config = load_configuration(files, text_of("config"));
    if (config) {
      read.config = std::move(*config);
    } else {
      problems.push_back(config.error());
    }
  }
  if (line->count("define") > 0) {
    for (const auto& assignment : (*line)["define"].as<std::vector<std::string>>()) {
      note(read.config.set_assignment(assignment, "-D"));
    }
  }
  if (line->count("role") > 0)
    note(read.config.set(options::node_role.key, text_of("role"), "--role"));
  if (line->count("log-file") > 0) {
    note(read.config.set(options::log_file.key, text_of("log-file"), "--log-file"));
  }
  if (problems.empty()) note(options::check(read.config));
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  read.pid_file = text_of("pid-file");
  if (line->count("print-config") > 0) read.what = action::print_config;
  return read;
}

std::string node_help() {
  std::ostringstream text;
  text << "Usage: caf-node [option...]\n\n"
          "A node of a Millrace cluster: a job manager, a task manager, or both. Runs in the\n"
          "foreground until SIGTERM or SIGINT; jobmanager.sh and taskmanager.sh run it as a "
          "daemon.\n\n"
       << command_line_options()
       << "\nExit codes: 0 after a signal, 1 if it cannot run, 2 for a command line or "
          "configuration that\ncannot be used.\n\n"
          "Configuration keys, for the file (key = value) and -D (key=value):\n";
  std::string_view group;
  for (const option_info* option : options::all) {
    if (option->group != group) {
      group = option->group;
      text << '\n' << group << ":\n";
    }
    text << "  " << option->key << " = " << option->default_text << "\n      "
         << option->description << '\n';
  }
  return text.str();
}

}  // namespace millrace::node
