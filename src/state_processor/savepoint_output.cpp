#include "millrace/state_processor/savepoint_output.hpp"

#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/state_processor/saved_operator.hpp"

namespace millrace {

namespace {

/// The state files that a snapshot consists of.
std::set<std::string> files_of(const checkpoint_metadata& metadata) {
  std::set<std::string> names;
  for (const auto& op : metadata.operators)
    for (const auto& subtask : op.subtasks) {
      if (subtask.state.keyed) names.insert(subtask.state.keyed->bytes.file);
      if (subtask.state.operators) names.insert(subtask.state.operators->file);
    }
  names.erase(std::string());
  return names;
}

/// Removes what earlier lives of the job have left; fails if a file is missing.
status leave_only(file_system& files, const std::string& directory, std::set<std::string> wanted) {
  const auto entries = files.list(directory);
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& entry : *entries) {
    if (wanted.erase(last_part_of(entry.path)) == 1) continue;
    if (auto removed = files.remove(entry.path); !removed) return removed;
  }
  if (wanted.empty()) return {};
  return fail(errc::not_found, "the state file '" + directory + "/" + *wanted.begin() +
                                   "' is gone: somebody else has written a savepoint to the same "
                                   "path meanwhile, or removed it");
}

class savepoint_output final : public stream_operator {
 public:
  explicit savepoint_output(savepoint_plan plan) : plan_(std::move(plan)) {}

  void open(operator_context& context) override {
    refuse_checkpoints(context, "the savepoint that it writes is complete at the end of its input");
    context_ = &context;
    if (plan_.job_name.empty()) plan_.job_name = context.runtime().job_name();
  }

  void process(std::size_t, batch& rows, rows_access) override {
    const auto& more = rows_of<written_subtask>(rows);
    subtasks_.insert(subtasks_.end(), more.begin(), more.end());
  }

  bool finish() override {
    auto metadata = put_together(plan_, std::move(subtasks_));
    if (!metadata) throw failure(metadata.error());
    metadata->triggered_wall_ms = static_cast<std::uint64_t>(context_->time().wall_ms());
    is_writing_ = true;
    auto done = std::make_shared<status>();
    context_->io().submit(
        [done, path = plan_.path, metadata = *std::move(metadata), files = &context_->files()] {
          *done = finish_savepoint(*files, path, metadata);
        },
        [this, done] {
          is_writing_ = false;
          if (!*done) throw failure(done->error());
        });
    return true;
  }
  bool is_busy() const noexcept override { return is_writing_; }

 private:
  savepoint_plan plan_;
  operator_context* context_ = nullptr;
  std::vector<written_subtask> subtasks_;
  bool is_writing_ = false;
};

}  // namespace

result<checkpoint_metadata> put_together(const savepoint_plan& plan,
                                         std::vector<written_subtask> subtasks) {
  checkpoint_metadata all;
  all.job = plan.job;
  all.job_name = plan.job_name;
  all.checkpoint = plan.checkpoint;
  all.kind = checkpoint_kind::savepoint;
  std::map<std::pair<std::string, std::uint32_t>, written_subtask*> by_place;
  std::set<std::string> types;
  for (auto& each : subtasks) {
    types.insert(each.types.begin(), each.types.end());
    by_place[{each.uid, each.subtask}] = &each;
  }
  for (const auto& uid : plan.uids) {
    auto& op = all.operators.emplace_back();
    op.uid = uid;
    std::uint32_t parallelism = 1;
    for (std::uint32_t s = 0; s < parallelism; ++s) {
      const auto found = by_place.find({uid, s});
      if (found == by_place.end())
        return fail(errc::internal, "the state of subtask " + std::to_string(s) +
                                        " of the operator with uid '" + uid +
                                        "' was not written, and the savepoint is not complete");
      auto& from = *found->second;
      parallelism = from.parallelism;
      op.name = from.name;
      op.max_parallelism = from.max_parallelism;
      if (from.coordinator) op.coordinator = std::move(from.coordinator);
      auto& to = op.subtasks.emplace_back();
      to.is_finished = from.is_finished;
      to.operators_finished = from.operators_finished;
      to.state = std::move(from.state);
    }
  }
  all.types.assign(types.begin(), types.end());
  return all;
}

status finish_savepoint(file_system& files, const std::string& path,
                        const checkpoint_metadata& metadata) {
  const auto directory = unfinished_path(path);
  return check_path_is_free(files, path)
      .and_then([&] { return make_lasting_directory(files, directory); })
      .and_then([&] { return leave_only(files, directory, files_of(metadata)); })
      .and_then([&] { return complete_snapshot(files, directory, metadata); })
      .and_then([&] { return files.rename(directory, path); })
      .and_then([&] { return files.sync_directory(parent_of(path)); });
}

operator_factory_ptr make_savepoint_output(savepoint_plan plan) {
  return make_factory<written_subtask, void>(
      [plan = std::move(plan)] { return std::make_unique<savepoint_output>(plan); });
}

}  // namespace millrace
