#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/checkpoint_uploads.hpp"
#include "millrace/checkpoint/job_copies.hpp"
#include "millrace/checkpoint/local_restore.hpp"
#include "millrace/checkpoint/state_assignment.hpp"
#include "millrace/checkpoint/stored_files.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"
#include "support/memory_files.hpp"
#include "support/native_snapshots.hpp"
#include "support/state_world.hpp"
#include "support/temporary_directory.hpp"

namespace millrace::test {

/// A job of one operator with one state in RocksDB, as its master, its storage and its task see it.
struct incremental_job {
  static inline const job_id job{7, 8};
  static inline const value_state_descriptor<std::string> text{"text"};

  temporary_directory scratch;
  std::shared_ptr<rocksdb_state_backend> backend =
      rocksdb_state_backend::open({scratch.path(), 64ull << 20}).value();
  state_world world{backend};
  std::shared_ptr<memory_files> disk = std::make_shared<memory_files>();
  std::string directory;
  /// Of the machine that the task runs on.
  std::shared_ptr<memory_files> local_disk = std::make_shared<memory_files>();
  std::shared_ptr<local_copies> all_copies = std::make_shared<local_copies>(local_disk, "/local");
  std::shared_ptr<job_copies> copies;
  file_checkpoint_storage storage;

  // Of the task.
  std::uint32_t attempt = 0;
  std::unique_ptr<keyed_state_backend<std::int64_t>> state = world.make<std::int64_t>();
  checkpoint_uploads uploads;
  std::unique_ptr<local_restore> from;  // the latest

  explicit incremental_job(std::string where = "/c/job", std::uint64_t threshold = 0)
      : directory(std::move(where)),
        copies(std::make_shared<job_copies>(all_copies, job, directory)),
        storage(std::make_shared<copied_files>(disk, copies), directory, threshold) {}

  /// From now on the task's machine keeps copies.
  void keep_copies() { all_copies->job_came(job); }

  /// Keys first..end-1 get the value that `value_of` says.
  void put(std::int64_t first, std::int64_t end, const std::string& what) {
    const auto values = state->get_state(text);
    auto& timers = state->timers<std::int64_t>("timers");
    for (auto key = first; key < end; ++key) {
      state->set_current_key(key);
      values.update(value_of(key, what));
      timers.register_event_time_timer(0, key);
    }
  }
  static std::string value_of(std::int64_t key, const std::string& what) {
    return what + " of " + std::to_string(key) + " " + std::string(60, 'x');
  }

  task_snapshot snapshot(std::uint64_t n, checkpoint_id base) {
    task_snapshot taken;
    taken.cut.checkpoint = {n};
    taken.cut.base = base;
    auto native = native_snapshot_of(*state);
    taken.operators.push_back({{}, std::move(native.beside), std::move(native.image)});
    return taken;
  }
  /// The task's part.
  result<stored_task_state> store(std::uint64_t n, checkpoint_id base) {
    const auto taken = snapshot(n, base);
    auto stored = storage.store({job, 1, 0, attempt}, taken, uploads.base(base));
    if (!stored) return stored;
    uploads.add({n}, uploaded_files_of(*stored, taken));
    stored_files files(storage.location_of({n}));
    files.add(*stored);
    copies->need({n}, files.paths());
    return stored;
  }
  static checkpoint_metadata metadata_of(std::uint64_t n, const stored_task_state& stored) {
    checkpoint_metadata all;
    all.job = job;
    all.job_name = "incremental";
    all.checkpoint = {n};
    all.triggered_wall_ms = 1'700'000'000'000;
    all.types = stored.types;
    auto& op = all.operators.emplace_back();
    op.uid = "uid";
    op.name = "operator";
    op.max_parallelism = test_max_parallelism;
    op.subtasks.push_back({false, stored.operators[0]});
    return all;
  }
  /// All of it.
  stored_task_state take(std::uint64_t n, checkpoint_id base) {
    REQUIRE(storage.begin_incremental({n}, base));
    auto stored = store(n, base);
    REQUIRE_MESSAGE(stored, (stored ? std::string() : stored.error().message));
    REQUIRE(storage.complete(metadata_of(n, *stored)));
    all_copies->confirm(job, {n});
    return *std::move(stored);
  }

  static graph::job_vertex vertex_of(std::uint32_t parallelism) {
    graph::job_vertex vertex;
    vertex.name = "operator";
    vertex.parallelism = parallelism;
    vertex.max_parallelism = test_max_parallelism;
    vertex.operators.resize(1);
    vertex.operators[0].name = "operator";
    vertex.operators[0].uid = "uid";
    return vertex;
  }
  result<task_restore> read(std::uint64_t n, std::uint32_t subtask, std::uint32_t parallelism,
                            state_backend* with) {
    return read_at(storage.location_of({n}), subtask, parallelism, with);
  }
  result<task_restore> read_at(const std::string& location, std::uint32_t subtask,
                               std::uint32_t parallelism, state_backend* with,
                               uploaded_files* found = nullptr) {
    return load_checkpoint(*disk, location).and_then([&](const checkpoint_metadata& metadata) {
      graph::job_graph plan;
      plan.vertices = {vertex_of(parallelism)};
      const auto assigned = assign_state(metadata, plan, {0, subtask});
      copies->need(metadata.checkpoint, files_of(assigned, location));
      from = std::make_unique<local_restore>(copies);
      auto restored = read_assigned_state({*disk, location, from.get()}, assigned, with);
      if (restored && found != nullptr) *found = restored_files(assigned, *restored);
      return restored;
    });
  }
  /// The task ends, and another attempt begins where the checkpoint was.
  void restart(std::uint64_t n) {
    state.reset();
    ++attempt;
    uploads = checkpoint_uploads();
    uploaded_files files;
    auto restored = read_at(storage.location_of({n}), 0, 1, backend.get(), &files);
    REQUIRE_MESSAGE(restored, (restored ? std::string() : restored.error().message));
    auto& op = *restored->operators.at(0);
    REQUIRE(op.database != nullptr);
    uploads.add({n}, std::move(files));
    keyed_state_environment env{.operator_name = "counter",
                                .operator_uid = "uid-of-counter",
                                .groups = {0, test_max_parallelism - 1},
                                .max_parallelism = test_max_parallelism,
                                .time = &world.time};
    const auto tables = op.database->tables;
    state = std::make_unique<keyed_state_backend<std::int64_t>>(
        env, backend->open_image(env, op.database).value());
    state->adopt_tables(tables);
    restore_groups(*state, op.keyed_state);
  }
  static void restore_groups(keyed_state_backend_base& to,
                             const std::vector<encoded_key_group>& groups) {
    for (const auto& [group, bytes] : groups) {
      const auto done = to.restore_key_group(group, bytes);
      REQUIRE_MESSAGE(done, (done ? std::string() : done.error().message));
    }
  }
  static void check(keyed_state_backend<std::int64_t>& its, std::int64_t first, std::int64_t end,
                    const std::string& what) {
    const auto values = its.get_state(text);
    for (auto key = first; key < end; ++key) {
      if (!its.groups().contains(key_group_of(key_hash(key), test_max_parallelism))) continue;
      its.set_current_key(key);
      CHECK(values.value() == value_of(key, what));
    }
  }

  /// The shared files on the disk, as "<n>/<file>".
  std::vector<std::string> shared() const {
    const auto prefix = directory + "/shared/";
    std::vector<std::string> found;
    for (const auto& path : disk->paths())
      if (path.starts_with(prefix)) found.push_back(path.substr(prefix.size()));
    return found;
  }
};

}  // namespace millrace::test
