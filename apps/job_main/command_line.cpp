#include "command_line.hpp"

#include <charconv>
#include <string_view>

#include "millrace/core/file_system.hpp"

namespace millrace::job_main {

namespace {

/// Takes words from the front and gives options their values: "-p 4", "-p4", "--config=file".
class word_reader {
 public:
  word_reader(int argc, const char* const* argv) : next_(argv + 1), end_(argv + argc) {}

  bool is_empty() const { return next_ == end_; }
  std::string_view take() { return *next_++; }

  /// Whether `word` is the option; then `value` is its value, or `missing` is set.
  bool is_option(std::string_view word, std::string_view option, std::string& value) {
    if (!word.starts_with(option)) return false;
    const bool is_long = option.starts_with("--");
    auto rest = word.substr(option.size());
    if (rest.empty()) {
      if (is_empty())
        missing = std::string(option);
      else
        value = take();
      return true;
    }
    if (is_long && !rest.starts_with('=')) return false;
    value = is_long ? rest.substr(1) : rest;
    return true;
  }

  std::string missing;

 private:
  const char* const* next_;
  const char* const* end_;
};

result<std::uint32_t> parse_parallelism(const std::string& text) {
  std::uint32_t number = 0;
  const auto end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, number);
  if (problem == std::errc() && at == end && number > 0) return number;
  return fail(errc::invalid_argument, "-p needs a number of at least 1, not '" + text + "'");
}

}  // namespace

result<command_line> read_command_line(int argc, const char* const* argv) {
  command_line line;
  line.program = argc > 0 ? argv[0] : "job";
  line.program.erase(0, line.program.rfind('/') + 1);

  std::string file;
  std::vector<std::string> assignments;
  std::string value;
  word_reader words(argc > 0 ? argc : 1, argv);
  while (!words.is_empty()) {
    const auto word = words.take();
    if (word == "--") {
      while (!words.is_empty()) line.job_arguments.emplace_back(words.take());
    } else if (word == "-h" || word == "--help") {
      line.wants_help = true;
    } else if (word == "--version") {
      line.wants_version = true;
    } else if (word == "-v") {
      line.verbose = true;
    } else if (words.is_option(word, "--config", value)) {
      file = value;
    } else if (words.is_option(word, "-D", value)) {
      assignments.push_back(value);
    } else if (words.is_option(word, "-p", value) && words.missing.empty()) {
      auto parallelism = parse_parallelism(value);
      if (!parallelism) return tl::unexpected(parallelism.error());
      line.parallelism = *parallelism;
    } else {
      line.job_arguments.emplace_back(word);
    }
    if (!words.missing.empty())
      return fail(errc::invalid_argument, words.missing + " needs a value");
  }

  if (!file.empty()) {
    local_file_system files;
    auto loaded = load_configuration(files, file);
    if (!loaded) return tl::unexpected(loaded.error());
    line.config = *std::move(loaded);
  }
  for (const auto& assignment : assignments) {
    if (auto ok = line.config.set_assignment(assignment, "-D"); !ok)
      return tl::unexpected(ok.error());
  }
  return line;
}

std::string help_text(const std::string& program) {
  return "Usage: " + program +
         " [option...] [job argument...]\n"
         "\n"
         "Runs the job in this process. Options of the engine:\n"
         "  -p N            parallelism of operators that the job gives none\n"
         "  -D KEY=VALUE    a configuration value; 'millrace help keys' lists the keys\n"
         "  --config FILE   a configuration file\n"
         "  -v              log what happens, and a summary at the end, to standard error\n"
         "  -h, --help      this text\n"
         "  --version       the engine's version\n"
         "  --              everything behind it belongs to the job\n"
         "\n"
         "All other arguments belong to the job.\n"
         "\n"
         "Exit codes: 0 when the job has finished, 1 if it failed, 2 for a command line,\n"
         "configuration or file that cannot be used, 128 + N if it was cancelled by signal N.\n";
}

}  // namespace millrace::job_main
