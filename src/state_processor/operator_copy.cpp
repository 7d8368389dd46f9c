#include "millrace/state_processor/operator_copy.hpp"

#include <mutex>
#include <optional>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_key_groups.hpp"
#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/source/fetching_reader.hpp"
#include "millrace/source/queued_splits.hpp"
#include "millrace/state_processor/saved_operator.hpp"

namespace millrace {

namespace {

/// The state of one subtask of an operator.
struct copy_split {
  std::string uid;
  std::uint32_t number = 0;  ///< Of the operator, for the name of the state file.
  std::uint32_t subtask = 0;

  std::string id() const { return uid + "/" + std::to_string(subtask); }
};

/// Copies one subtask's state. Blocks.
class subtask_copy {
 public:
  subtask_copy(file_system& files, const operator_copies& what, const copy_split& split)
      : files_(files),
        from_(snapshot_directory_of(what.from)),
        to_(unfinished_path(what.to)),
        who_{{}, split.number, split.subtask, 0} {}

  result<written_subtask> run(const operator_metadata& op, const std::vector<std::string>& types) {
    const auto& saved = op.subtasks.at(who_.subtask);
    written_subtask copied{op.uid,
                           op.name,
                           op.max_parallelism,
                           {},
                           static_cast<std::uint32_t>(op.subtasks.size()),
                           who_.subtask,
                           saved.is_finished,
                           saved.state,
                           {},
                           saved.operators_finished};
    if (who_.subtask == 0) {
      copied.coordinator = op.coordinator;
      copied.types = types;
    }
    auto done =
        copy_keyed(copied.state.keyed).and_then([&] { return copy_bytes(copied.state.operators); });
    if (done && file_) done = file_->finish();
    if (!done)
      return fail(done.error().code,
                  "the state of " + subject_of(op) + " can't be copied: " + done.error().message);
    return copied;
  }

 private:
  /// What is kept in the metadata stays there. The files of a database become key groups: they
  /// belong to the job that it was.
  status copy_keyed(std::optional<stored_keyed_state>& keyed) {
    if (!keyed || (keyed->bytes.file.empty() && !keyed->database)) return {};
    return open().and_then([&] {
      return copy_key_groups({files_, from_}, *keyed, *file_).map([&](stored_keyed_state copied) {
        keyed = std::move(copied);
      });
    });
  }
  status copy_bytes(std::optional<stored_bytes>& stored) {
    if (!stored || stored->file.empty()) return {};
    return open().and_then([&]() -> status {
      const auto bytes = read_stored({files_, from_}, *stored);
      if (!bytes) return tl::unexpected(bytes.error());
      return file_->append(*bytes).map([&](stored_bytes copied) { stored = std::move(copied); });
    });
  }

  status open() {
    if (file_) return {};
    return make_lasting_directory(files_, to_)
        .and_then([&] { return with_free_state_file(files_, to_, who_); })
        .and_then([&](const execution_attempt_id& free) {
          return state_file_writer::open(files_, to_, state_file_name(free));
        })
        .map([&](state_file_writer opened) { file_.emplace(std::move(opened)); });
  }

  file_system& files_;
  std::string from_;
  std::string to_;
  execution_attempt_id who_;
  std::optional<state_file_writer> file_;
};

/// The snapshot of one reader, whose metadata are read once.
struct copied_snapshot {
  std::mutex mutex;
  std::optional<result<checkpoint_metadata>> metadata{};

  const result<checkpoint_metadata>& load(file_system& files, const std::string& path) {
    std::lock_guard lock(mutex);
    if (!metadata) metadata = load_snapshot(files, path);
    return *metadata;
  }
};

class copy_fetcher final : public split_fetcher<written_subtask> {
 public:
  copy_fetcher(file_system& files, std::shared_ptr<copied_snapshot> snapshot, operator_copies what,
               copy_split split)
      : files_(files),
        snapshot_(std::move(snapshot)),
        what_(std::move(what)),
        split_(std::move(split)) {}

  result<bool> fetch(written_subtask& into) override {
    const auto& metadata = snapshot_->load(files_, what_.from);
    if (!metadata) return tl::unexpected(metadata.error());
    return find_operator(*metadata, what_.from, split_.uid)
        .and_then([&](const operator_metadata& op) {
          return subtask_copy(files_, what_, split_).run(op, metadata->types);
        })
        .map([&](written_subtask copied) {
          into = std::move(copied);
          return false;
        });
  }

 private:
  file_system& files_;
  std::shared_ptr<copied_snapshot> snapshot_;
  operator_copies what_;
  copy_split split_;
};

class copy_reader final : public fetching_reader<written_subtask, copy_split, written_subtask> {
 public:
  copy_reader(reader_context& context, operator_copies what)
      : fetching_reader(context, {.open_max = 1, .requests_splits = true}),
        what_(std::move(what)) {}

 protected:
  opener open_split(const copy_split& split) override {
    return [split, what = what_, snapshot = snapshot_, files = &context().task().files()]()
               -> result<std::unique_ptr<split_fetcher<written_subtask>>> {
      return std::make_unique<copy_fetcher>(*files, snapshot, what, split);
    };
  }
  bool emit(copy_split&, written_subtask& copied, source_output<written_subtask>& out) override {
    out.emit(std::move(copied));
    return false;
  }

 private:
  operator_copies what_;
  std::shared_ptr<copied_snapshot> snapshot_ = std::make_shared<copied_snapshot>();
};

class operator_copy_source final : public source<written_subtask, copy_split> {
 public:
  explicit operator_copy_source(operator_copies what) : what_(std::move(what)) {}

  boundedness ends() const noexcept override { return boundedness::bounded; }
  std::unique_ptr<source_reader<written_subtask, copy_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<copy_reader>(context, what_);
  }
  std::unique_ptr<split_enumerator<copy_split, std::vector<copy_split>>> create_enumerator(
      enumerator_context& context) const override {
    std::vector<copy_split> splits;
    for (std::uint32_t i = 0; i < what_.uids.size(); ++i)
      for (std::uint32_t s = 0; s < what_.counts[i]; ++s)
        splits.push_back({what_.uids[i], what_.number + i, s});
    return restore_enumerator(context, std::move(splits));
  }
  std::unique_ptr<split_enumerator<copy_split, std::vector<copy_split>>> restore_enumerator(
      enumerator_context& context, std::vector<copy_split> splits) const override {
    return std::make_unique<queued_splits<copy_split>>(context, std::move(splits));
  }

 private:
  operator_copies what_;
};

}  // namespace

std::shared_ptr<const source_base<written_subtask>> make_operator_copies(operator_copies what) {
  return std::make_shared<operator_copy_source>(std::move(what));
}

}  // namespace millrace
