// Operator state in functions of the user's, as docs/state.md says.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "millrace/millrace.hpp"
#include "support/captured_job.hpp"
#include "support/local_runner.hpp"

namespace function_state_test {

using namespace millrace;
using namespace millrace::test;

namespace {

/// What subtasks found in their union lists when they were opened.
using finds = std::multimap<std::string, std::set<std::int64_t>>;

/// Counts what a subtask is given in a list, and leaves its number in a union list.
class count_of_subtask {
 public:
  count_of_subtask(std::string name, std::shared_ptr<finds> found)
      : name_(std::move(name)), found_(std::move(found)) {}

  void open(const runtime_context& self, operator_state_backend& state) {
    subtask_ = self.subtask_index();
    count_ = state.get_list_state(list_state_descriptor<std::int64_t>("count"));
    const auto numbers = state.get_union_list_state(list_state_descriptor<std::int64_t>("numbers"));
    found_->emplace(name_, std::set<std::int64_t>(numbers.get().begin(), numbers.get().end()));
    numbers.update({subtask_});
  }
  std::int64_t next() {
    const auto so_far = count_.get().empty() ? 0 : count_.get().front();
    count_.update({so_far + 1});
    return so_far + 1;
  }
  std::int64_t subtask() const { return subtask_; }

 private:
  std::string name_;
  std::shared_ptr<finds> found_;
  std::int64_t subtask_ = 0;
  operator_list_state<std::int64_t> count_;
};

/// The how-manieth record of which subtask of either function.
struct counted {
  std::int64_t n = 0;
  std::int64_t of_map = 0, at_map = 0;
  std::int64_t of_process = 0, at_process = 0;
};

struct counting_map {
  count_of_subtask count;

  void open(operator_context& context) { count.open(context.runtime(), context.operator_state()); }
  counted operator()(const std::int64_t& n) { return {n, count.next(), count.subtask(), 0, 0}; }
};

class counting_process final : public keyed_process_function<std::int64_t, counted, counted> {
 public:
  explicit counting_process(count_of_subtask count) : count_(std::move(count)) {}

  void open(keyed_runtime_context<std::int64_t>& context) override {
    count_.open(context.runtime(), context.operator_state());
  }
  void process_element(const counted& row, keyed_process_context<std::int64_t>&,
                       collector<counted>& out) override {
    out.emplace(row.n, row.of_map, row.at_map, count_.next(), count_.subtask());
  }

 private:
  count_of_subtask count_;
};

/// What a restart does with operator state: union lists go to all subtasks.
void redistribute_operator_state(local_pipeline::checkpoint& all, const graph::job_graph& graph) {
  for (const auto& vertex : graph.vertices) {
    for (std::size_t op = 0; op < vertex.operators.size(); ++op) {
      std::vector<subtask_operator_state> saved;
      for (std::uint32_t i = 0; i < vertex.parallelism; ++i)
        saved.push_back(all.at({vertex.id, i}).operators.at(op)->operator_state);
      const auto given = redistribute(saved, vertex.parallelism);
      REQUIRE(given);
      for (std::uint32_t i = 0; i < vertex.parallelism; ++i)
        all.at({vertex.id, i}).operators.at(op)->operator_state = given->at(i);
    }
  }
}

/// By subtask; sorted.
using counts = std::map<std::int64_t, std::vector<std::int64_t>>;

/// Each subtask has counted from 1 on, without a gap.
void check_without_gaps(counts all) {
  CHECK(all.size() == 2);
  for (auto& [subtask, each] : all) {
    CAPTURE(subtask);
    std::sort(each.begin(), each.end());
    for (std::size_t i = 0; i < each.size(); ++i)
      REQUIRE(each[i] == static_cast<std::int64_t>(i) + 1);
  }
}

}  // namespace

TEST_CASE("functions keep operator state from one life of a job to the next") {
  constexpr std::uint64_t rows = 2'000;
  const auto found = std::make_shared<finds>();
  const auto emitted = std::make_shared<std::vector<counted>>();
  const auto job = std::make_shared<captured_job>();
  stream_environment env({}, job);
  env.set_parallelism(2);
  env.from_generator([](std::uint64_t i) { return static_cast<std::int64_t>(i); }, rows)
      .rebalance()
      .map(counting_map{{"map", found}})
      .key_by(&counted::n)
      .process(counting_process({"process", found}))
      .add_sink([emitted](const counted& c) { emitted->push_back(c); });
  env.execute();

  memory_files files;
  pipeline_settings settings;
  settings.tasks.is_checkpointed = true;
  settings.checkpoints_permille = 1;  // so that the savepoint waits for none
  local_pipeline first(job->graph, job->program, files, settings);
  REQUIRE_FALSE(first.run_some(150));
  first.stop();
  first.run();
  CHECK(emitted->size() > 0);
  CHECK(emitted->size() < rows);
  CHECK(*found == finds{{"map", {}}, {"map", {}}, {"process", {}}, {"process", {}}});

  found->clear();
  const auto before = emitted->size();
  auto savepoint = first.last_checkpoint();
  redistribute_operator_state(savepoint, job->graph);
  // Nobody restores the sources' coordinator here, so they begin anew.
  const auto& source = job->graph.vertices.front();
  for (std::uint32_t i = 0; i < source.parallelism; ++i) savepoint.erase({source.id, i});
  local_pipeline second(job->graph, job->program, files, settings, &savepoint);
  second.run();
  CHECK(*found ==
        finds{{"map", {0, 1}}, {"map", {0, 1}}, {"process", {0, 1}}, {"process", {0, 1}}});
  REQUIRE(emitted->size() == before + rows);
  counts of_map, of_process;
  for (const auto& c : *emitted) {
    of_map[c.at_map].push_back(c.of_map);
    of_process[c.at_process].push_back(c.of_process);
  }
  check_without_gaps(of_map);
  check_without_gaps(of_process);
}

}  // namespace function_state_test
