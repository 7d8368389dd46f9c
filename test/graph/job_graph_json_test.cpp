#include "millrace/graph/job_graph_json.hpp"

#include <doctest/doctest.h>

#include <random>

#include "millrace/graph/job_graph_check.hpp"
#include "support/graphs.hpp"

namespace job_graph_json_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;

namespace {

std::string error_of(const std::string& text) {
  auto job = job_graph_from_json(text);
  return job ? "no error" : job.error().message;
}

/// The word count's JSON with its first `from` replaced.
std::string replaced(const std::string& from, const std::string& to) {
  auto text = to_json(job_of(word_count()));
  auto at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, from);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("random job graphs survive a round trip through JSON") {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    auto job = job_of(random_graph(seed));
    job.configuration = {{"b", "2"}, {"a", "1"}, {"a", "\n\"quoted\""}};
    job.arguments = {"--input", "", "ünï"};
    job.artifact = std::string(64, 'a');
    job.edges.empty() ? void() : void(job.edges[0].fingerprint = ~0ull);
    auto text = to_json(job);
    auto back = job_graph_from_json(text);
    REQUIRE_MESSAGE(back.has_value(), back.error().message);
    REQUIRE(*back == job);
    REQUIRE(to_json(*back) == text);
  }
}

TEST_CASE("the JSON is readable and its order is fixed") {
  auto text = to_json(job_of(word_count()));
  CHECK(text.starts_with("{\n  \"format_version\": 4,\n  \"name\": \"test job\",\n"));
  CHECK(text.find("\"fingerprint\": \"0000000000000007\"") != std::string::npos);
  CHECK(text.find("\"source_vertex\": \"v0\"") != std::string::npos);
}

TEST_CASE("names that are not UTF-8 do not stop a plan from being printed") {
  auto job = job_of(word_count());
  job.name = "caf\xe9";
  CHECK(job_graph_from_json(to_json(job)).value().name == "caf\xef\xbf\xbd");
}

TEST_CASE("malformed JSON is refused with the place") {
  CHECK(error_of("") == "job graph: no valid JSON at byte 1");
  CHECK(error_of("{\"name\": ") == "job graph: no valid JSON at byte 10");
  CHECK(error_of("1e999") == "job graph: no valid JSON: a number is too large");
  CHECK(error_of("[]") == "job graph: must be an object, is an array");
  CHECK(error_of("{}") == "job graph: lacks the field 'format_version'");
}

TEST_CASE("values of the wrong type, range or name are refused with their path") {
  CHECK(error_of(replaced("\"parallelism\": 2", "\"parallelism\": \"two\"")) ==
        "job graph: vertices[0].parallelism: must be a number from 0 to 4294967295, is \"two\"");
  CHECK(error_of(replaced("\"parallelism\": 2", "\"parallelism\": -1")) ==
        "job graph: vertices[0].parallelism: must be a number from 0 to 4294967295, is -1");
  CHECK(error_of(replaced("\"parallelism\": 2", "\"parallelism\": 200")) ==
        "job graph: vertices[0].parallelism: must be from 1 to the max parallelism 128, is 200");
  CHECK(error_of(replaced("\"hash\"", "\"hashed\"")) ==
        "job graph: edges[0].partitioning: must be a partitioning such as \"hash\", is \"hashed\"");
  CHECK(error_of(replaced("\"id\": \"v0\"", "\"id\": \"v00\"")) ==
        "job graph: vertices[0].id: must be an id such as \"v0\", is \"v00\"");
  CHECK(error_of(replaced("\"0000000000000007\"", "\"7\"")) ==
        "job graph: edges[0].fingerprint: must be 16 hex digits, is \"7\"");
  CHECK(error_of(replaced("\"streaming\"", "\"batched\"")) ==
        "job graph: mode: must be \"streaming\" or \"batch\", is \"batched\"");
  CHECK(error_of(replaced("\"bounded\": true", "\"bounded\": 1")) ==
        "job graph: bounded: must be true or false, is 1");
  CHECK(error_of(replaced("\"kind\"", "\"kindness\"")) ==
        "job graph: vertices[0].operators[0].kindness: unknown field");
  CHECK(error_of(replaced("\"stream_edge\": 1", "\"stream_edge\": null")) ==
        "job graph: edges[0].stream_edge: must be a number from 0 to 4294967295, is null");
}

TEST_CASE("contradictions are refused with their path") {
  CHECK(error_of(replaced("\"format_version\": 4", "\"format_version\": 5")) ==
        "job graph: format_version: must be 4, is 5; use client and cluster of the same release");
  CHECK(error_of(replaced("\"target_vertex\": \"v1\"", "\"target_vertex\": \"v0\"")) ==
        "job graph: edges[0].source_vertex: must come before the target vertex");
  CHECK(error_of(replaced("\"target_vertex\": \"v1\"", "\"target_vertex\": \"v9\"")) ==
        "job graph: edges[0].target_vertex: no such vertex");
  CHECK(error_of(replaced("\"source_operator\": 1", "\"source_operator\": 2")) ==
        "job graph: edges[0].source_operator: no such operator");
  CHECK(error_of(replaced("\"from_operator\": 0", "\"from_operator\": 1")) ==
        "job graph: vertices[0].operators[1].inputs[0].from_operator: must name an operator before "
        "this one");
  CHECK(error_of(replaced("\"artifact\": \"\"", "\"artifact\": \"../../etc/passwd\"")) ==
        "job graph: artifact: must be a SHA-256 of 64 lower-case hex digits, or empty");
  auto job = job_of(word_count());
  job.vertices[1].operators[1].uid = job.vertices[0].uid;
  CHECK(check_job_graph(job).error().message == "vertices[1].operators[1].uid: '" +
                                                    job.vertices[0].uid +
                                                    "' is the uid of another operator");
  job = job_of(word_count());
  job.edges.clear();
  CHECK(check_job_graph(job).error().message ==
        "vertices[1].operators[0].inputs[0]: no edge feeds it");
  job = job_of(word_count());
  job.edges[0].partitioning = static_cast<partitioning>(99);
  CHECK(check_job_graph(job).error().message == "edges[0].partitioning: unknown partitioning");
}

TEST_CASE("damaged and hostile JSON is refused or read, and never crashes") {
  auto good = to_json(job_of(word_count()));
  std::mt19937 rng(20);
  for (int i = 0; i < 1000; ++i) {
    auto text = good;
    for (auto changes = 1 + rng() % 3; changes > 0; --changes) switch (rng() % 3) {
        case 0:
          text[rng() % text.size()] = "0-{}[]\",:ev9\xff"[rng() % 13];
          break;
        case 1:
          text.erase(rng() % text.size(), 1 + rng() % 20);
          break;
        default:
          text.insert(rng() % text.size(), std::to_string(rng()));
          break;
      }
    auto job = job_graph_from_json(text);
    if (job) REQUIRE(check_job_graph(*job).has_value());
  }
  CHECK_FALSE(job_graph_from_json(std::string(200'000, '[')));
  CHECK_FALSE(job_graph_from_json(std::string(100'000, '[') + std::string(100'000, ']')));
}

TEST_CASE("what the builder makes passes the check") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    auto ok = check_job_graph(job_of(random_graph(seed)));
    REQUIRE_MESSAGE(ok.has_value(), ok.error().message);
  }
}

}  // namespace job_graph_json_test
