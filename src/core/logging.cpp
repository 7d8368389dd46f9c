#include "millrace/core/logging.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "millrace/core/options.hpp"

namespace millrace {

namespace {

constexpr log_level level_before_init = log_level::warn;

spdlog::level::level_enum to_spdlog(log_level level) noexcept {
  switch (level) {
    case log_level::trace:
      return spdlog::level::trace;
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warn:
      return spdlog::level::warn;
    case log_level::error:
      return spdlog::level::err;
    case log_level::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

log_level from_spdlog(spdlog::level::level_enum level) noexcept {
  switch (level) {
    case spdlog::level::trace:
      return log_level::trace;
    case spdlog::level::debug:
      return log_level::debug;
    case spdlog::level::info:
      return log_level::info;
    case spdlog::level::warn:
      return log_level::warn;
    default:
      return log_level::error;
  }
}

log_level level_of(const configuration& config, log_level unless_set) {
  if (!config.has(options::log_level)) return unless_set;
  // The words of the option are in the order of the enum.
  const auto word = std::ranges::find(options::log_levels, config.get(options::log_level));
  return static_cast<log_level>(word - std::begin(options::log_levels));
}

std::string file_of(const configuration& config, const std::string& process) {
  if (std::string file = config.get(options::log_file); !file.empty()) return file;
  const std::string directory = config.get(options::log_dir);
  if (directory.empty()) return {};
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return directory + '/' + process + '-' + host.data() + '-' + std::to_string(::getpid()) + ".log";
}

/// Calls a function for each line.
class function_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit function_sink(std::function<void(log_level, std::string_view)> function)
      : function_(std::move(function)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    function_(from_spdlog(message.level),
              std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  std::function<void(log_level, std::string_view)> function_;
};

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink, log_level level) {
  auto logger = std::make_shared<spdlog::logger>("millrace", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %-7l %v");
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::trace);  // a line that was logged survives the process
  return logger;
}

std::shared_ptr<spdlog::logger> stderr_logger(log_level level) {
  return make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level);
}

/// Where lines go now. Its level is apart, so that a line that goes nowhere costs one load.
struct log_state {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger = stderr_logger(level_before_init);
  std::atomic<log_level> level{level_before_init};

  void use(std::shared_ptr<spdlog::logger> next, log_level next_level) {
    const std::lock_guard lock(mutex);
    logger = std::move(next);
    level.store(next_level, std::memory_order_relaxed);
  }
  std::shared_ptr<spdlog::logger> current() {
    const std::lock_guard lock(mutex);
    return logger;
  }
};

/// Never destroyed: threads may log until the process ends.
log_state& state() {
  static log_state* const the_state = new log_state;
  return *the_state;
}

void append_field(std::string& line, std::string_view name, std::string_view value) {
  line.append(" ").append(name).append("=");
  const bool plain = !value.empty() && value.find_first_of(" \"=\t\n") == std::string_view::npos;
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += c;
  }
  line += '"';
}

}  // namespace

status init_logging(const configuration& config, const std::string& process,
                    log_level level_unless_set) {
  const log_level level = level_of(config, level_unless_set);
  const std::string file = file_of(config, process);
  if (file.empty()) {
    state().use(stderr_logger(level), level);
    return {};
  }
  try {
    state().use(make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file), level),
                level);
    return {};
  } catch (const spdlog::spdlog_ex& problem) {
    return fail(errc::io, "can't log to '" + file + "': " + problem.what());
  }
}

void redirect_log(std::function<void(log_level, std::string_view)> sink, log_level level) {
  if (sink)
    state().use(make_logger(std::make_shared<function_sink>(std::move(sink)), level), level);
  else
    state().use(stderr_logger(level_before_init), level_before_init);
}

bool log_enabled(log_level level) noexcept {
  return level != log_level::off && level >= state().level.load(std::memory_order_relaxed);
}

void log_line(log_level level, std::string_view line) {
  if (!log_enabled(level)) return;
  std::string text(line);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  state().current()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void log_event(log_level level, std::string_view event, std::initializer_list<log_field> fields) {
  if (!log_enabled(level)) return;
  std::string line(event);
  for (const log_field& field : fields) append_field(line, field.name, field.value);
  log_line(level, line);
}

void log_task_event(log_level level, std::string_view event, const execution_attempt_id& id,
                    std::string_view vertex_name, std::uint32_t parallelism,
                    std::initializer_list<log_field> fields) {
  if (!log_enabled(level)) return;
  std::string line(event);
  append_field(line, "job", to_string(id.job));
  append_field(line, "vertex", vertex_name);
  append_field(line, "subtask", std::to_string(id.subtask + 1) + '/' + std::to_string(parallelism));
  append_field(line, "attempt", std::to_string(id.attempt));
  for (const log_field& field : fields) append_field(line, field.name, field.value);
  log_line(level, line);
}

}  // namespace millrace
