#include "millrace/core/logging.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "support/temporary_directory.hpp"

namespace logging_test {

using namespace millrace;

namespace {

/// Collects lines for the length of a test.
class captured_log {
 public:
  explicit captured_log(log_level level = log_level::trace) {
    redirect_log([this](log_level, std::string_view line) { lines.emplace_back(line); }, level);
  }
  ~captured_log() { redirect_log(nullptr); }

  std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("an event is one line of name and value") {
  captured_log log;
  log_event(log_level::info, "job submitted", {{"job", "ab12"}, {"name", "word \"count\""}});
  log_event(log_level::info, "started");
  log_event(log_level::warn, "odd", {{"reason", ""}, {"text", "two\nlines"}});
  CHECK(log.lines == std::vector<std::string>{R"(job submitted job=ab12 name="word \"count\"")",
                                              "started", R"(odd reason="" text="two lines")"});
}

TEST_CASE("an event of a task names job, vertex, subtask and attempt") {
  captured_log log;
  log_task_event(log_level::info, "task running", {{0, 1}, 2, 0, 3}, "Keyed Sum", 4,
                 {{"slot", "1"}});
  CHECK(log.lines == std::vector<std::string>{"task running job=00000000000000000000000000000001 "
                                              "vertex=\"Keyed Sum\" subtask=1/4 attempt=3 slot=1"});
}

TEST_CASE("lines below the level go nowhere") {
  captured_log log(log_level::warn);
  CHECK_FALSE(log_enabled(log_level::info));
  CHECK(log_enabled(log_level::error));
  CHECK_FALSE(log_enabled(log_level::off));
  log_line(log_level::info, "quiet");
  log_line(log_level::error, "loud");
  CHECK(log.lines == std::vector<std::string>{"loud"});
}

TEST_CASE("the log is quiet until it is set up") {
  CHECK_FALSE(log_enabled(log_level::info));
  CHECK(log_enabled(log_level::warn));
}

TEST_CASE("a log file is appended to, from the level that was set") {
  test::temporary_directory directory;
  configuration config;
  REQUIRE(config.set("log.file", directory.path("logs/node.log"), "test"));
  REQUIRE(init_logging(config, "node"));
  log_line(log_level::info, "first {}");  // braces are text
  REQUIRE(config.set("log.level", "warn", "test"));
  REQUIRE(init_logging(config, "node"));
  log_line(log_level::info, "second");
  log_line(log_level::error, "third");
  redirect_log(nullptr);
  const std::string text = directory.read("logs/node.log");
  CHECK(text.find(" info    first {}\n") != std::string::npos);
  CHECK(text.find("second") == std::string::npos);
  CHECK(text.find(" error   third\n") != std::string::npos);
}

TEST_CASE("a log file that can't be opened is named") {
  test::temporary_directory directory;
  configuration config;
  REQUIRE(config.set("log.file", directory.path(), "test"));
  const auto outcome = init_logging(config, "node");
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == errc::io);
  CHECK(outcome.error().message.starts_with("can't log to '" + directory.path() + "': "));
  CHECK_FALSE(log_enabled(log_level::info));
}

}  // namespace logging_test
