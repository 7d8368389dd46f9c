#include "millrace/core/configuration.hpp"

#include <doctest/doctest.h>

#include "millrace/core/file_system.hpp"
#include "millrace/core/options.hpp"
#include "support/temporary_directory.hpp"

namespace configuration_test {

using namespace millrace;
using namespace std::chrono_literals;

namespace {

configuration parsed(std::string_view text) {
  auto config = parse_configuration(text, "cluster.conf");
  REQUIRE(config.has_value());
  return *config;
}

std::string refusal(std::string_view text) {
  const auto config = parse_configuration(text, "cluster.conf");
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().code == errc::invalid_config);
  return config.error().message;
}

}  // namespace

TEST_CASE("an empty configuration has the defaults") {
  const configuration config;
  CHECK(config.get(options::jobmanager_rpc_port) == 6123);
  CHECK(config.get(options::jobmanager_rpc_address) == "localhost");
  CHECK(config.get(options::operator_chaining));
  CHECK(config.get(options::heartbeat_timeout) == 10s);
  CHECK(config.get(options::channel_bytes) == memory_size{512 * 1024});
  CHECK(config.get(options::runtime_mode) == "streaming");
  CHECK(config.origin_of(options::heartbeat_timeout) == "default");
  CHECK(options::task_slots_of(config) >= 1);
  CHECK(options::check(config));
}

TEST_CASE("a file sets values, in both spellings, with comments") {
  const auto config = parsed(
      "# the cluster\r\n"
      "\n"
      "jobmanager.rpc.address = master # the one\n"
      "  taskmanager.numberOfTaskSlots: 4\n"
      "io.tmp.dirs = \"/a dir/#1\"  # quoted\n"
      "log.dir=/var/log#1\n"
      "heartbeat.interval = 250 ms\n"
      "task.cancellation.timeout = 2 min\n"
      "taskmanager.network.batch-bytes = 16kb\n"
      "pipeline.operator-chaining.enabled = FALSE\n"
      "blob.storage.directory =");
  CHECK(config.get(options::jobmanager_rpc_address) == "master");
  CHECK(config.get(options::task_slots) == 4);
  CHECK(options::task_slots_of(config) == 4);
  CHECK(config.get(options::io_tmp_dirs) == "/a dir/#1");
  CHECK(config.get(options::log_dir) == "/var/log#1");
  CHECK(config.get(options::heartbeat_interval) == 250ms);
  CHECK(config.get(options::task_cancellation_timeout) == 2min);
  CHECK(config.get(options::batch_bytes).bytes == 16384);
  CHECK_FALSE(config.get(options::operator_chaining));
  CHECK(config.get(options::blob_storage_directory).empty());
  CHECK(config.origin_of(options::task_slots) == "cluster.conf:4");
}

TEST_CASE("an address with a colon can be a value") {
  CHECK(parsed("taskmanager.host = ::1").get(options::taskmanager_host) == "::1");
  CHECK(parsed("taskmanager.host: ::1").get(options::taskmanager_host) == "::1");
}

TEST_CASE("an unknown key is refused with its line and the nearest key") {
  CHECK(refusal("\nparalelism.default = 2") ==
        "cluster.conf:2: unknown key 'paralelism.default', did you mean 'parallelism.default'?");
  CHECK(refusal("taskmanager.numberoftaskslot = 2") ==
        "cluster.conf:1: unknown key 'taskmanager.numberoftaskslot', did you mean "
        "'taskmanager.numberOfTaskSlots'?");
  CHECK(refusal("colour = red") ==
        "cluster.conf:1: unknown key 'colour'; 'millrace help keys' lists all");
}

TEST_CASE("a malformed value is refused with key, value, line and what was expected") {
  CHECK(refusal("jobmanager.rpc.port = many") ==
        "cluster.conf:1: 'many' is no value for 'jobmanager.rpc.port': expected an integer from 0 "
        "to 65535");
  CHECK(refusal("jobmanager.rpc.port = 70000") ==
        "cluster.conf:1: '70000' is no value for 'jobmanager.rpc.port': expected an integer from 0 "
        "to 65535");
  CHECK(refusal("jobmanager.rpc.port = 12 ms") ==
        "cluster.conf:1: '12 ms' is no value for 'jobmanager.rpc.port': expected an integer from 0 "
        "to 65535");
  CHECK(refusal("heartbeat.interval = 10 parsec") ==
        "cluster.conf:1: '10 parsec' is no value for 'heartbeat.interval': expected a duration "
        "such as '500 ms', '10 s' or '5 min' of at least 1 ms");
  CHECK(refusal("heartbeat.interval = -1 s") ==
        "cluster.conf:1: '-1 s' is no value for 'heartbeat.interval': expected a duration such as "
        "'500 ms', '10 s' or '5 min' of at least 1 ms");
  CHECK(refusal("heartbeat.interval = 9223372036854775807 d") ==
        "cluster.conf:1: '9223372036854775807 d' is no value for 'heartbeat.interval': expected a "
        "duration such as '500 ms', '10 s' or '5 min' of at least 1 ms");
  CHECK(refusal("taskmanager.network.batch-bytes = 1 gb") ==
        "cluster.conf:1: '1 gb' is no value for 'taskmanager.network.batch-bytes': expected a "
        "memory size such as '32 kb' or '1 mb' from 1 kb to 16 mb");
  CHECK(refusal("execution.runtime-mode = fast") ==
        "cluster.conf:1: 'fast' is no value for 'execution.runtime-mode': expected one of "
        "'streaming', 'batch'");
  CHECK(refusal("pipeline.operator-chaining.enabled = yes") ==
        "cluster.conf:1: 'yes' is no value for 'pipeline.operator-chaining.enabled': expected "
        "'true' or 'false'");
  CHECK(refusal("parallelism.default =") ==
        "cluster.conf:1: '' is no value for 'parallelism.default': expected an integer from 1 to "
        "32768");
}

TEST_CASE("a line that is no assignment is refused") {
  CHECK(refusal("log.dir = /a\nparallelism.default 2") ==
        "cluster.conf:2: expected 'key = value', found 'parallelism.default 2'");
  CHECK(refusal("= 2") == "cluster.conf:1: expected 'key = value', found '= 2'");
  CHECK(refusal("log.dir = \"/a") ==
        "cluster.conf:1: the quotes of 'log.dir' do not enclose the whole value: 'log.dir = "
        "\"/a'");
}

TEST_CASE("a key that is set twice in a file is refused") {
  CHECK(refusal("log.dir = /a\n\nlog.dir: /b") ==
        "cluster.conf:3: 'log.dir' is set a second time, after cluster.conf:1");
}

TEST_CASE("assignments of the command line pass the same checks and win over the file") {
  auto config = parsed("parallelism.default = 2");
  CHECK(config.set_assignment("parallelism.default=3", "-D"));
  CHECK(config.get(options::parallelism_default) == 3);
  CHECK(config.origin_of(options::parallelism_default) == "-D");
  CHECK(config.set_assignment("parallelism.default", "-D").error().message ==
        "-D: expected key=value, found 'parallelism.default'");
  CHECK(config.set_assignment("parallelism.defalt=3", "-D").error().message ==
        "-D: unknown key 'parallelism.defalt', did you mean 'parallelism.default'?");
  configuration other;
  REQUIRE(other.set("parallelism.default", "4", "job"));
  config.merge(other);
  CHECK(config.get(options::parallelism_default) == 4);
  CHECK(config.pairs() ==
        std::vector<std::pair<std::string, std::string>>{{"parallelism.default", "4"}});
}

TEST_CASE("what is printed reads back the same") {
  const auto config = parsed("io.tmp.dirs = \"/a # b\"\nheartbeat.interval = 2 s");
  const std::string text = config.to_text();
  CHECK(text.find("heartbeat.interval = 2 s") != std::string::npos);
  CHECK(text.find("# cluster.conf:2") != std::string::npos);
  CHECK(text.find("# default") != std::string::npos);
  const auto again = parsed(text);
  for (const option_info* option : options::all)
    CHECK(again.text_of(*option) == config.text_of(*option));
}

TEST_CASE("options that contradict each other are refused") {
  CHECK(
      options::check(parsed("taskmanager.state.local.root-dirs = /a,/b")).error().message ==
      "taskmanager.state.local.root-dirs is '/a,/b' (cluster.conf:1) but must be one directory: a "
      "list is not supported");
  CHECK(options::check(parsed("heartbeat.timeout = 1 s")).error().message ==
        "heartbeat.timeout is '1 s' (cluster.conf:1) but must be longer than heartbeat.interval, "
        "which is '1 s' (default)");
}

TEST_CASE("every default is valid by its own rules and every key is unique") {
  for (const option_info* option : options::all) {
    CAPTURE(option->key);
    CHECK(read_option_value(*option, option->default_text).has_value());
    CHECK(options::find(option->key) == option);
    CHECK_FALSE(option->description.empty());
  }
  CHECK(options::find("no.such.key") == nullptr);
}

TEST_CASE("the reference lists every key") {
  const std::string text = options::markdown();
  for (const option_info* option : options::all)
    CHECK(text.find("| `" + std::string(option->key) + "` |") != std::string::npos);
  CHECK(text.find("| `heartbeat.interval` | `1 s` | duration | processes | Time between") !=
        std::string::npos);
  CHECK(text.find("| `state.backend.type` | `hashmap` | choice | jobs | Where") !=
        std::string::npos);
}

TEST_CASE("a configuration file that is not there is named") {
  test::temporary_directory directory;
  local_file_system files;
  const std::string path = directory.path("none.conf");
  CHECK(load_configuration(files, path).error() ==
        error{errc::not_found, "can't open '" + path + "': No such file or directory"});
  directory.write("some.conf", "parallelism.default = 7\n");
  const auto config = load_configuration(files, directory.path("some.conf"));
  REQUIRE(config);
  CHECK(config->get(options::parallelism_default) == 7);
  CHECK(config->origin_of(options::parallelism_default) == directory.path("some.conf:1"));
}

}  // namespace configuration_test
