#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "millrace/millrace.hpp"
#include "support/captured_job.hpp"
#include "support/local_runner.hpp"

namespace global_commit_test {

using namespace millrace;
using namespace millrace::test;

namespace {

/// By checkpoint.
using committables = std::map<std::uint64_t, std::multiset<std::string>>;

struct manifest {
  committables prepared;
  committables committed;
};

/// Hands over its name at each barrier, so that every checkpoint has one of each.
class naming_writer final : public sink_writer<std::int64_t, std::string> {
 public:
  naming_writer(sink_writer_context& context, std::shared_ptr<manifest> to)
      : name_(std::to_string(context.runtime().subtask_index())), to_(std::move(to)) {}

  void write(const sink_rows<std::int64_t>&) override {}
  void flush(flush_cause) override {}
  std::vector<std::string> prepare_commit() override { return {name_}; }
  void snapshot_state(checkpoint_id id) override { to_->prepared[id.number].insert(name_); }

 private:
  std::string name_;
  std::shared_ptr<manifest> to_;
};

struct recording_committer final : global_committer<std::string> {
  explicit recording_committer(std::shared_ptr<manifest> m) : to(std::move(m)) {}
  commit_result commit(checkpoint_id id, const std::vector<std::string>& all) override {
    to->committed[id.number].insert(all.begin(), all.end());
    return commit_result::committed();
  }
  std::shared_ptr<manifest> to;
};

struct manifest_sink {
  using committable = std::string;
  std::shared_ptr<manifest> to = std::make_shared<manifest>();

  std::unique_ptr<sink_writer<std::int64_t, std::string>> create_writer(
      sink_writer_context& context) const {
    return std::make_unique<naming_writer>(context, to);
  }
  std::shared_ptr<global_committer<std::string>> create_global_committer(
      const committer_context&) const {
    return std::make_shared<recording_committer>(to);
  }
};

}  // namespace

TEST_CASE("a global committer has all of a checkpoint at once, whatever barriers overtake") {
  for (const auto alignment : {barrier_alignment::exactly_once, barrier_alignment::unaligned})
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      CAPTURE(static_cast<int>(alignment));
      const manifest_sink sink;
      const auto job = std::make_shared<captured_job>();
      stream_environment env({}, job);
      env.set_parallelism(3);
      env.from_generator([](std::uint64_t i) { return static_cast<std::int64_t>(i); }, 2'000)
          .rebalance()
          .sink_to(sink);
      env.execute();
      memory_files files;
      pipeline_settings settings;
      settings.seed = seed;
      settings.alignment = alignment;
      settings.tasks.is_checkpointed = true;
      settings.checkpoints_permille = 20;
      local_pipeline(job->graph, job->program, files, settings).run();
      std::size_t whole = 0;
      for (const auto& [checkpoint, all] : sink.to->committed) {
        CAPTURE(checkpoint);
        // Of those whose input has ended, the last are of the checkpoint before the end.
        if (sink.to->prepared[checkpoint].size() < 3) continue;
        ++whole;
        REQUIRE(all == std::multiset<std::string>{"0", "1", "2"});
      }
      CHECK(whole > 0);
    }
}

}  // namespace global_commit_test
