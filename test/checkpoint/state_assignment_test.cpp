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

graph::job_graph job_of(std::uint32_t parallelism) {
  graph::job_graph job;
  job.vertices = {vertex_of(parallelism)};
  return job;
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

  subtask_ending ending(const graph::job_graph& job, std::uint32_t subtask) const {
    return assign_state(metadata, job, {0, subtask}).ending;
  }

  task_restore restored(const graph::job_graph& job, std::uint32_t subtask) {
    auto read = read_assigned_state({*disk, "/c/chk-1"}, assign_state(metadata, job, {0, subtask}));
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
      const auto job = job_of(to);
      std::size_t elements = 0;
      for (std::uint32_t s = 0; s < to; ++s) {
        const auto restore = saved.restored(job, s);
        CHECK(restore.checkpoint == checkpoint_id{1});
        CHECK(restore.ending == subtask_ending::none);
        REQUIRE(restore.operators.size() == 1);
        const auto& op = restore.operators[0].value();
        const auto groups = key_group_range_of(s, 16, to);
        REQUIRE(op.keyed_state.size() == groups.size());
        for (const auto& [group, bytes] : op.keyed_state) {
          CHECK(groups.contains(group));
          CHECK(bytes == text_bytes("g" + std::to_string(group)));
        }
        std::size_t united = 0;
        for (const auto& state : op.operator_state)
          (state.name == "list" ? elements : united) += state.elements.size();
        CHECK(united == from);
      }
      CHECK(elements == 2 * from);
    }
  }
}

TEST_CASE("a subtask that had finished is restored as finished") {
  saved_job saved(2);
  saved.metadata.operators[0].subtasks[1] = {true, {}};
  CHECK(saved.ending(job_of(2), 0) == subtask_ending::none);
  CHECK(saved.ending(job_of(2), 1) == subtask_ending::ended);
  CHECK(saved.restored(job_of(2), 1).ending == subtask_ending::ended);
  CHECK(saved.restored(job_of(2), 1).operators.empty());
  // With another parallelism only if all had.
  CHECK(saved.ending(job_of(3), 1) == subtask_ending::none);
  saved.metadata.operators[0].subtasks[0] = {true, {}};
  CHECK(saved.ending(job_of(3), 1) == subtask_ending::ended);
}

TEST_CASE("a subtask that only waited for the checkpoint is restored with its state, as such") {
  saved_job saved(2);
  auto& subtasks = saved.metadata.operators[0].subtasks;
  subtasks[1].operators_finished = true;
  const auto text = to_json(saved.metadata);
  CHECK(parse_checkpoint_metadata(text, "/c/chk-1/_metadata") == saved.metadata);
  CHECK(saved.ending(job_of(2), 0) == subtask_ending::none);
  const auto restore = saved.restored(job_of(2), 1);
  CHECK(restore.ending == subtask_ending::operators_finished);
  CHECK_FALSE(restore.operators.at(0).value().keyed_state.empty());
  CHECK(saved.ending(job_of(3), 1) == subtask_ending::none);
  // One that waited and one that had ended: what the first has to commit must come to somebody.
  subtasks[0] = {true, {}};
  CHECK(saved.ending(job_of(3), 1) == subtask_ending::operators_finished);
}

TEST_CASE("a subtask that is fed by one that goes on goes on, too") {
  saved_job saved(2);
  auto& op = saved.metadata.operators[0];
  op.subtasks[0].operators_finished = true;
  op.subtasks[1] = {true, {}};
  auto source = op;
  source.uid = "source";
  saved.metadata.operators.push_back(source);
  // source => count, both of two subtasks
  auto job = job_of(2);
  job.vertices.insert(job.vertices.begin(), vertex_of(2));
  job.vertices[0].operators[0].uid = "source";
  job.vertices[1].id = 1;
  job.edges.resize(1);
  job.edges[0].target_vertex = 1;
  job.edges[0].partitioning = graph::partitioning::hash;
  const auto endings = [&] {
    subtask_endings all(saved.metadata, job);
    return std::vector{all.of({0, 0}), all.of({0, 1}), all.of({1, 0}), all.of({1, 1})};
  };
  using enum subtask_ending;
  CHECK(endings() == std::vector{operators_finished, ended, operators_finished, ended});
  auto& sources = saved.metadata.operators[1].subtasks;
  sources[1].is_finished = false;
  CHECK(endings() == std::vector{operators_finished, none, none, none});
  job.edges[0].partitioning = graph::partitioning::forward;
  CHECK(endings() == std::vector{operators_finished, none, operators_finished, none});
  // A source that is new, or that had another parallelism, has more for all.
  job.vertices[0].operators[0].uid = "new";
  CHECK(endings() == std::vector{none, none, none, none});
  job.vertices[0].operators[0].uid = "source";
  sources.resize(1);
  sources[0].operators_finished = false;
  CHECK(endings() == std::vector{none, none, none, none});
  // What is fed back is of a loop that ends as a whole.
  sources[0].operators_finished = true;
  job.edges.push_back(job.edges[0]);
  job.edges[1].id = 1;
  job.edges[1].source_vertex = 1;
  job.edges[1].target_vertex = 0;
  job.edges[1].is_feedback = true;
  CHECK(endings()[0] == operators_finished);
}

TEST_CASE("an operator that is new begins without state") {
  saved_job saved(2);
  auto job = job_of(2);
  auto& operators = job.vertices[0].operators;
  operators.push_back(operators[0]);
  operators[1].uid = "new";
  const auto restore = saved.restored(job, 0);
  REQUIRE(restore.operators.size() == 2);
  CHECK(restore.operators[0].has_value());
  CHECK_FALSE(restore.operators[1].has_value());
}

TEST_CASE("state of no operator, and of other key groups, is refused by name") {
  saved_job saved(2);
  auto job = job_of(2);
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
  const auto read = read_assigned_state({*saved.disk, "/c/chk-1"},
                                        assign_state(saved.metadata, job_of(1), {0, 0}));
  REQUIRE_FALSE(read);
  CHECK(read.error().code == errc::invalid_data);
  CHECK(read.error().message.find("operator 'count'") != std::string::npos);
  CHECK(read.error().message.find("/c/chk-1/v0-s0-a0.state") != std::string::npos);
}

TEST_CASE("batches on their way come back to the subtask that had them, and to no other job") {
  saved_job saved(2);
  auto job = job_of(2);
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
  CHECK(saved.restored(job, 0).in_flight.empty());
  const auto restored = saved.restored(job, 1).in_flight;
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
