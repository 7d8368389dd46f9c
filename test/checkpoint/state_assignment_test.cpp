#include "millrace/checkpoint/state_assignment.hpp"

#include <doctest/doctest.h>

#include <map>

#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "support/memory_files.hpp"

namespace state_assignment_test {

using namespace millrace;
using namespace millrace::test;

namespace {

graph::job_vertex vertex_of(std::uint32_t parallelism) {
  graph::job_vertex vertex;
  vertex.name = "count";
  vertex.parallelism = parallelism;
  vertex.max_parallelism = 16;
  vertex.operators.resize(1);
  vertex.operators[0].name = "count";
  vertex.operators[0].uid = "the-uid";
  return vertex;
}

std::vector<std::byte> text_bytes(const std::string& text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

/// A checkpoint of `parallelism` subtasks: key group g holds "g<g>", the split list of subtask s
/// has elements "s<s>a" and "s<s>b", the united one has "u<s>".
struct saved_job {
  std::shared_ptr<memory_files> disk = std::make_shared<memory_files>();
  file_checkpoint_storage storage{disk, "/c", 0};
  checkpoint_metadata metadata;

  explicit saved_job(std::uint32_t parallelism) {
    REQUIRE(storage.begin({1}));
    metadata.job = {1, 1};
    metadata.checkpoint = {1};
    metadata.job_name = "counts";
    auto& op = metadata.operators.emplace_back();
    op.uid = "the-uid";
    op.name = "count";
    op.max_parallelism = 16;
    for (std::uint32_t s = 0; s < parallelism; ++s) {
      task_snapshot snapshot;
      snapshot.cut.checkpoint = {1};
      auto& state = snapshot.operators.emplace_back();
      const auto groups = key_group_range_of(s, 16, parallelism);
      for (auto g = groups.first; g <= groups.last; ++g)
        state.keyed_state.push_back({g, text_bytes("g" + std::to_string(g))});
      const auto name = std::to_string(s);
      state.operator_state = {
          {"list",
           operator_state_mode::split,
           1,
           9,
           {text_bytes("s" + name + "a"), text_bytes("s" + name + "b")}},
          {"union", operator_state_mode::unite, 1, 9, {text_bytes("u" + name)}}};
      auto stored = storage.store({{1, 1}, 0, s, 0}, snapshot);
      REQUIRE(stored);
      op.subtasks.push_back({false, stored->operators[0]});
    }
    REQUIRE(storage.complete(metadata));
  }

  task_restore restored(const graph::job_vertex& vertex, std::uint32_t subtask) {
    auto read = read_assigned_state({*disk, "/c/chk-1"}, assign_state(metadata, vertex, subtask));
    REQUIRE(read);
    return std::move(*read);
  }
};

}  // namespace

TEST_CASE("all state is restored at any parallelism, each key group where it belongs") {
  for (const std::uint32_t from : {1, 2, 3, 4, 7}) {
    saved_job saved(from);
    for (const std::uint32_t to : {1, 2, 3, 4, 7}) {
      CAPTURE(from);
      CAPTURE(to);
      const auto vertex = vertex_of(to);
      std::size_t elements = 0;
      for (std::uint32_t s = 0; s < to; ++s) {
        const auto restore = saved.restored(vertex, s);
        CHECK(restore.checkpoint == checkpoint_id{1});
        CHECK_FALSE(restore.is_finished);
        REQUIRE(restore.operators.size() == 1);
        const auto& op = restore.operators[0];
        const auto groups = key_group_range_of(s, 16, to);
        REQUIRE(op.keyed_state.size() == groups.size());
        for (const auto& [group, bytes] : op.keyed_state) {
          CHECK(groups.contains(group));
          CHECK(bytes == text_bytes("g" + std::to_string(group)));
        }
        for (const auto& state : op.operator_state) {
          if (state.name == "list") elements += state.elements.size();
          if (state.name == "union") CHECK(state.elements.size() == from);
        }
      }
      CHECK(elements == 2 * from);
    }
  }
}

TEST_CASE("a subtask that had finished is restored as finished") {
  saved_job saved(2);
  saved.metadata.operators[0].subtasks[1] = {true, {}};
  CHECK_FALSE(assign_state(saved.metadata, vertex_of(2), 0).is_finished);
  CHECK(assign_state(saved.metadata, vertex_of(2), 1).is_finished);
  CHECK(saved.restored(vertex_of(2), 1).operators.empty());
  // With another parallelism only if all had.
  CHECK_FALSE(assign_state(saved.metadata, vertex_of(3), 1).is_finished);
  saved.metadata.operators[0].subtasks[0] = {true, {}};
  CHECK(assign_state(saved.metadata, vertex_of(3), 1).is_finished);
}

TEST_CASE("an operator that is new begins without state") {
  saved_job saved(2);
  auto vertex = vertex_of(2);
  vertex.operators.push_back(vertex.operators[0]);
  vertex.operators[1].uid = "new";
  const auto restore = saved.restored(vertex, 0);
  REQUIRE(restore.operators.size() == 2);
  CHECK(restore.operators[1] == operator_snapshot{});
}

TEST_CASE("state of no operator, and of other key groups, is refused by name") {
  saved_job saved(2);
  graph::job_graph job;
  job.vertices = {vertex_of(2)};
  CHECK(check_restorable(saved.metadata, job, false));
  job.vertices[0].max_parallelism = 32;
  auto refused = check_restorable(saved.metadata, job, true);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("'count' (uid the-uid)") != std::string::npos);
  job.vertices[0].max_parallelism = 16;
  job.vertices[0].operators[0].uid = "another";
  refused = check_restorable(saved.metadata, job, false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("'count' (uid the-uid)") != std::string::npos);
  CHECK(check_restorable(saved.metadata, job, true));
}

TEST_CASE("a damaged piece names the file and the operator") {
  saved_job saved(1);
  auto content = saved.disk->content("/c/chk-1/v0-s0-a0.state");
  content[20] = static_cast<char>(content[20] ^ 1);
  saved.disk->put("/c/chk-1/v0-s0-a0.state", content);
  const auto read =
      read_assigned_state({*saved.disk, "/c/chk-1"}, assign_state(saved.metadata, vertex_of(1), 0));
  REQUIRE_FALSE(read);
  CHECK(read.error().code == errc::invalid_data);
  CHECK(read.error().message.find("operator 'count'") != std::string::npos);
  CHECK(read.error().message.find("/c/chk-1/v0-s0-a0.state") != std::string::npos);
}

TEST_CASE("batches on their way come back to the subtask that had them, and to no other job") {
  saved_job saved(2);
  graph::job_graph job;
  job.vertices = {vertex_of(2)};
  typed_batch_ptr<std::int64_t> rows(new typed_batch<std::int64_t>);
  rows->rows = {1, 2, 3};
  auto& subtasks = saved.metadata.operators[0].subtasks;
  subtasks[1].in_flight = keep_bytes(encode_in_flight({{channel_end::receiver, 4, rows}}));
  saved.metadata.shape = shape_of(job);
  const auto text = to_json(saved.metadata);
  const auto read = parse_checkpoint_metadata(text, "/c/chk-1/_metadata");
  REQUIRE(read);
  CHECK(*read == saved.metadata);
  CHECK(check_restorable(saved.metadata, job, false));
  CHECK(saved.restored(job.vertices[0], 0).in_flight.empty());
  const auto restored = saved.restored(job.vertices[0], 1).in_flight;
  REQUIRE(restored.size() == 1);
  CHECK(restored[0].channel == 4);
  CHECK(restored[0].rows->size() == 3);

  job.vertices[0] = vertex_of(3);
  const auto rescaled = check_restorable(saved.metadata, job, true);
  REQUIRE_FALSE(rescaled);
  CHECK(rescaled.error().message.find("'count' (uid the-uid) ran in 2 subtasks") !=
        std::string::npos);
  CHECK(rescaled.error().message.find("savepoint") != std::string::npos);
  job.vertices[0] = vertex_of(2);
  job.edges.resize(1);
  CHECK(check_restorable(saved.metadata, job, true).error().message.find("another way") !=
        std::string::npos);
  saved.metadata.shape = 0;
  CHECK(check_restorable(saved.metadata, job, true));
}

}  // namespace state_assignment_test
