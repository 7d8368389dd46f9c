#include "millrace/checkpoint/checkpoint_storage.hpp"

#include <doctest/doctest.h>

#include <random>

#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/restore_source.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "support/forwarded_files.hpp"
#include "support/memory_files.hpp"

namespace checkpoint_storage_test {

using namespace millrace;
using namespace millrace::test;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

const job_id job{7, 8};
const execution_attempt_id task{job, 1, 2, 3};

task_snapshot snapshot_of(std::uint64_t checkpoint) {
  task_snapshot s;
  s.cut.checkpoint = {checkpoint};
  s.operators.resize(2);
  s.operators[0].operator_state = {
      {"offsets", operator_state_mode::split, 1, 5, {bytes_of("abc"), bytes_of("")}}};
  s.operators[1].keyed_state = {{4, bytes_of("group four")}, {5, {}}, {6, bytes_of("six")}};
  return s;
}

struct stored_world {
  std::shared_ptr<memory_files> disk = std::make_shared<memory_files>();
  file_checkpoint_storage storage;

  explicit stored_world(std::uint64_t threshold = 0) : storage(disk, "/c/job", threshold) {}

  checkpoint_metadata complete(std::uint64_t number) {
    REQUIRE(storage.begin({number}));
    auto state = storage.store(task, snapshot_of(number));
    REQUIRE(state);
    checkpoint_metadata all;
    all.job = job;
    all.job_name = "a \"job\"";
    all.checkpoint = {number};
    all.triggered_wall_ms = 1'700'000'000'000;
    for (std::size_t i = 0; i < 2; ++i) {
      auto& op = all.operators.emplace_back();
      op.uid = "uid" + std::to_string(i);
      op.name = "operator";
      op.max_parallelism = 128;
      op.subtasks.resize(2);
      op.subtasks[0].state = state->operators[i];
      op.subtasks[1].is_finished = true;
    }
    all.operators[0].coordinator = bytes_of("enumerator");
    REQUIRE(storage.complete(all));
    return all;
  }
};

}  // namespace

TEST_CASE("a checkpoint is read back as it was stored") {
  for (const std::uint64_t threshold : {0, 1000}) {
    stored_world world(threshold);
    const auto written = world.complete(3);
    CHECK(world.disk->has("/c/job/chk-3/v1-s2-a3.state") == (threshold == 0));
    const auto location = world.storage.location_of({3});
    const auto read = load_checkpoint(*world.disk, location);
    REQUIRE(read);
    CHECK(*read == written);
    CHECK(load_checkpoint(*world.disk, location + "/_metadata") == written);

    const auto& keyed = *read->operators[1].subtasks[0].state.keyed;
    CHECK(keyed.groups() == key_group_range{4, 6});
    CHECK(read_stored({*world.disk, location}, keyed.bytes) == bytes_of("group foursix"));
    CHECK(read_stored({*world.disk, location}, keyed.bytes, keyed.ends[1], keyed.ends[2],
                      keyed.checksums[2]) == bytes_of("six"));
    CHECK(read_stored({*world.disk, location}, keyed.bytes, keyed.ends[0], keyed.ends[1],
                      keyed.checksums[1]) == bytes_of(""));
    if (threshold == 0) CHECK(check_state_file(*world.disk, location + "/v1-s2-a3.state"));
  }
}

TEST_CASE("state in pieces is stored as if it were one") {
  stored_world world;
  REQUIRE(world.disk->create_directories("/parts"));
  std::mt19937 random(3);
  std::vector<chunked_bytes> parts;
  std::vector<std::byte> all;
  for (const std::size_t size : {10u, 0u, 300'000u, 1u << 20, 3'000'000u, 5u}) {
    auto& part = parts.emplace_back();
    while (part.size() < size) {
      std::vector<std::byte> piece(std::min<std::size_t>(size - part.size(), random() % 200'000));
      for (auto& each : piece) each = static_cast<std::byte>(random());
      all.insert(all.end(), piece.begin(), piece.end());
      part.append(shared_bytes(std::move(piece)));
    }
  }
  std::vector<std::uint64_t> checksums;
  const auto write = [&](const std::string& name, auto&& append) {
    auto file = state_file_writer::open(*world.disk, "/parts", name);
    REQUIRE(file);
    REQUIRE(file->append(byte_view(all).first(3)));  // so that it does not begin the file
    const auto where = append(*file);
    REQUIRE(where);
    REQUIRE(file->finish());
    return *where;
  };
  const auto in_parts =
      write("in-parts", [&](auto& f) { return f.append_parts(parts, checksums); });
  auto at_once = write("at-once", [&](auto& f) { return f.append(byte_view(all)); });
  CHECK(world.disk->content("/parts/in-parts") == world.disk->content("/parts/at-once"));
  at_once.file = in_parts.file;
  CHECK(in_parts == at_once);
  REQUIRE(checksums.size() == parts.size());
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto begin = std::exchange(end, end + parts[i].size());
    const auto read = read_stored({*world.disk, "/parts"}, in_parts, begin, end, checksums[i]);
    REQUIRE(read);
    CHECK(chunked_bytes(*read) == parts[i]);
  }
}

TEST_CASE("a task without state makes no file") {
  stored_world world;
  REQUIRE(world.storage.begin({1}));
  task_snapshot nothing;
  nothing.cut.checkpoint = {1};
  nothing.operators.resize(1);
  const auto state = world.storage.store(task, nothing);
  REQUIRE(state);
  CHECK(state->bytes == 0);
  CHECK(world.disk->paths().empty());
}

TEST_CASE("there is no checkpoint until it is complete, nor after it was discarded") {
  stored_world world;
  REQUIRE(world.storage.begin({1}));
  REQUIRE(world.storage.store(task, snapshot_of(1)));
  CHECK(world.storage.completed()->empty());
  const auto missing = load_checkpoint(*world.disk, world.storage.location_of({1}));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::not_found);
  CHECK(missing.error().message.find("/c/job/chk-1") != std::string::npos);

  world.complete(2);
  CHECK(world.storage.completed() == std::vector<checkpoint_id>{{2}});
  REQUIRE(world.storage.discard({2}));
  REQUIRE(world.storage.discard({2}));
  CHECK(world.storage.completed()->empty());
  // A task that is late can't bring it back.
  CHECK_FALSE(world.storage.store(task, snapshot_of(2)));
}

TEST_CASE("cleaning up leaves nothing but what is kept") {
  stored_world world;
  for (std::uint64_t n : {1, 2, 10}) world.complete(n);
  REQUIRE(world.storage.begin({11}));
  REQUIRE(world.storage.store(task, snapshot_of(11)));
  CHECK(world.storage.completed() == std::vector<checkpoint_id>{{1}, {2}, {10}});
  const std::vector<checkpoint_id> keep{{2}, {10}};
  REQUIRE(world.storage.clean_up(keep));
  CHECK(world.storage.completed() == keep);
  CHECK(world.disk->paths().size() == 4);
  REQUIRE(world.storage.clean_up({}));
  CHECK(world.disk->paths().empty());
  REQUIRE(world.storage.clean_up({}));
}

TEST_CASE("who may have been replaced removes nothing that a later master has begun") {
  stored_world world;
  for (std::uint64_t n : {1, 2, 4}) world.complete(n);
  for (const char* path :
       {"/c/job/chk-3/v1-s2-a3.state", "/c/job/chk-5/v1-s2-a3.state",
        "/c/job/shared/3/v1-s2-a3-o0-7.sst", "/c/job/shared/5/v1-s2-a3-o0-7.sst"})
    world.disk->put(path, "of some master");
  const std::vector<checkpoint_id> keep{{2}};
  REQUIRE(world.storage.remove_leftovers(keep, {3}));
  CHECK(world.storage.completed() == std::vector<checkpoint_id>{{2}, {4}});
  CHECK_FALSE(world.disk->stat("/c/job/chk-3"));
  CHECK_FALSE(world.disk->stat("/c/job/shared/3"));
  CHECK(world.disk->stat("/c/job/chk-5"));
  CHECK(world.disk->stat("/c/job/shared/5"));
  // With nothing to keep either.
  REQUIRE(world.storage.remove_leftovers({}, {3}));
  CHECK(world.storage.completed() == std::vector<checkpoint_id>{{4}});
  CHECK(world.disk->stat("/c/job/shared/5"));
}

TEST_CASE("what a task stores of a checkpoint that was given up goes at the end at the latest") {
  stored_world world;
  world.complete(1);
  REQUIRE(world.storage.begin({2}));
  REQUIRE(world.storage.discard({2}));
  // It was on its way, and has made its files when their directory was already gone.
  for (const char* path : {"/c/job/chk-2/v1-s2-a3.state", "/c/job/shared/2/v1-s2-a3-o0-7.sst"})
    world.disk->put(path, "late");
  SUBCASE("by who goes on with the job") {
    const std::vector<checkpoint_id> keep{{1}};
    REQUIRE(world.storage.remove_leftovers(keep, {2}));
    CHECK_FALSE(world.disk->stat("/c/job/chk-2"));
    CHECK_FALSE(world.disk->stat("/c/job/shared/2"));
    CHECK(world.storage.completed() == keep);
  }
  SUBCASE("when the job ends") {
    REQUIRE(world.storage.clean_up({}));
    CHECK_FALSE(world.disk->stat("/c/job"));
  }
}

namespace {

/// Each time that a directory is to be removed, somebody has just made another file in it.
class crowded_files final : public forwarded_files {
 public:
  explicit crowded_files(std::shared_ptr<memory_files> disk, int late)
      : forwarded_files(disk), disk_(std::move(disk)), late_(late) {}

  status remove(const std::string& path) override {
    const auto found = disk_->stat(path);
    if (!found || !found->is_directory) return disk_->remove(path);
    if (late_ > 0) disk_->put(path + "/late-" + std::to_string(late_--), "late");
    return disk_->list(path)->empty() ? disk_->remove(path)
                                      : fail(errc::io, "can't remove: Directory not empty");
  }

 private:
  std::shared_ptr<memory_files> disk_;
  int late_;
};

}  // namespace

TEST_CASE("a directory is removed though files are still being made in it") {
  auto disk = std::make_shared<memory_files>();
  disk->put("/c/job/chk-2/v1-s2-a3.state", "some");
  crowded_files files(disk, 3);
  REQUIRE(remove_tree(files, "/c/job"));
  CHECK_FALSE(disk->stat("/c/job"));
  // But not for ever.
  disk->put("/c/job/chk-2/v1-s2-a3.state", "some");
  crowded_files endless(disk, 1'000);
  CHECK_FALSE(remove_tree(endless, "/c/job"));
}

TEST_CASE("a checkpoint that is complete survives a power cut with its directories") {
  stored_world world;
  const auto is_there = [&](std::uint64_t n) {
    return load_checkpoint(*world.disk, world.storage.location_of({n})).has_value();
  };
  SUBCASE("where there was nothing") {
    world.complete(1);
    world.disk->lose_unsynced_directories();
    CHECK(is_there(1));
  }
  SUBCASE("where an earlier attempt has come to nothing") {
    REQUIRE(world.disk->create_directories("/c"));
    REQUIRE(world.disk->sync_directory("/"));
    REQUIRE(world.disk->create_directories("/c/job"));
    world.complete(1);
    world.complete(2);
    world.disk->lose_unsynced_directories();
    CHECK(is_there(1));
    CHECK(is_there(2));
  }
  SUBCASE("with shared files") {
    REQUIRE(world.storage.begin_incremental({1}, {}));
    world.disk->put("/c/job/shared/1/v1-s2-a3-o0-7.sst", "a table");
    world.disk->lose_unsynced_directories();
    CHECK(world.disk->has("/c/job/shared/1/v1-s2-a3-o0-7.sst"));
    CHECK(world.disk->stat("/c/job/chk-1"));
  }
}

TEST_CASE("beginning again removes what an earlier attempt has left") {
  stored_world world;
  REQUIRE(world.storage.begin({5}));
  REQUIRE(world.storage.store(task, snapshot_of(5)));
  CHECK_FALSE(world.storage.store(task, snapshot_of(5)));
  world.complete(5);
}

TEST_CASE("a full disk is an error, not a checkpoint") {
  stored_world world;
  REQUIRE(world.storage.begin({1}));
  world.disk->fill_disk();
  const auto state = world.storage.store(task, snapshot_of(1));
  REQUIRE_FALSE(state);
  CHECK(state.error().code == errc::io);
  CHECK_FALSE(world.storage.complete({.job = job, .checkpoint = {1}}));
  CHECK(world.storage.completed()->empty());
}

TEST_CASE("damage to any file of a checkpoint is noticed wherever it is") {
  stored_world world;
  const auto written = world.complete(1);
  const auto location = world.storage.location_of({1});
  std::mt19937 random(1);
  const auto read_all = [&]() -> status {
    auto metadata = load_checkpoint(*world.disk, location);
    if (!metadata) return tl::unexpected(metadata.error());
    CHECK(*metadata == written);
    for (const auto& op : metadata->operators) {
      const auto& state = op.subtasks[0].state;
      if (state.operators)
        if (auto r = read_stored({*world.disk, location}, *state.operators); !r)
          return tl::unexpected(r.error());
      if (state.keyed)
        if (auto r = read_stored({*world.disk, location}, state.keyed->bytes); !r)
          return tl::unexpected(r.error());
    }
    return check_state_file(*world.disk, location + "/v1-s2-a3.state");
  };
  REQUIRE(read_all());
  for (const auto& path : world.disk->paths()) {
    const auto intact = world.disk->content(path);
    for (int i = 0; i < 500; ++i) {
      auto damaged = intact;
      const auto at = random() % intact.size();
      if (i % 2 == 0) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      }
      // White space outside of the content changes nothing.
      if (path.ends_with("_metadata") && at == intact.size() - 1) continue;
      // The four reserved bytes of a state file mean nothing, but are checked, too.
      world.disk->put(path, damaged);
      const auto read = read_all();
      CAPTURE(path);
      CAPTURE(at);
      CHECK_FALSE(read);
      if (!read && read.error().code == errc::invalid_data)
        CHECK(read.error().message.find(path) != std::string::npos);
    }
    world.disk->put(path, intact);
  }
  CHECK(read_all());
}

TEST_CASE("the metadata that tasks of a node begin from are read once, whatever comes of it") {
  stored_world world;
  const auto written = world.complete(1);
  restore_source from(world.disk, world.storage.location_of({1}));
  REQUIRE(from.metadata());
  CHECK(*from.metadata() == written);
  REQUIRE(world.disk->remove("/c/job/chk-1/_metadata"));
  CHECK(from.metadata());
  restore_source gone(world.disk, world.storage.location_of({1}));
  REQUIRE_FALSE(gone.metadata());
  CHECK(gone.metadata().error().code == errc::not_found);
  world.disk->put("/c/job/chk-1/_metadata", to_json(written));
  CHECK_FALSE(gone.metadata());
}

TEST_CASE("a checkpoint of another format version says so") {
  stored_world world;
  auto text = to_json(world.complete(1));
  text.replace(text.find("\"version\":5"), 11, "\"version\":6");
  const auto read = parse_checkpoint_metadata(text, "/x/_metadata");
  REQUIRE_FALSE(read);
  CHECK(read.error().message.find("format version 6") != std::string::npos);
}

TEST_CASE("an interval without a directory is refused") {
  configuration config;
  CHECK_FALSE(checkpoint_settings_of(config)->is_enabled());
  REQUIRE(config.set("execution.checkpointing.interval", "10 s", "test"));
  const auto refused = checkpoint_settings_of(config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("state.checkpoints.dir") != std::string::npos);
  REQUIRE(config.set("state.checkpoints.dir", "/c/", "test"));
  REQUIRE(config.set("execution.checkpointing.mode", "at-least-once", "test"));
  const auto settings = checkpoint_settings_of(config);
  REQUIRE(settings);
  CHECK(settings->interval_ms == 10'000);
  CHECK(settings->alignment == barrier_alignment::at_least_once);
  CHECK(settings->directory_of(job) == "/c/" + to_string(job));
}

TEST_CASE("checkpoints of RocksDB are incremental unless that is switched off") {
  configuration config;
  CHECK_FALSE(checkpoint_settings_of(config)->is_incremental);
  REQUIRE(config.set("state.backend.type", "rocksdb", "test"));
  CHECK(checkpoint_settings_of(config)->is_incremental);
  REQUIRE(config.set("execution.checkpointing.incremental", "false", "test"));
  CHECK_FALSE(checkpoint_settings_of(config)->is_incremental);
}

TEST_CASE("unaligned checkpoints are exactly once, and one at a time") {
  configuration config;
  const auto set = [&](const char* key, const char* value) {
    REQUIRE(config.set(key, value, "test"));
  };
  set("execution.checkpointing.aligned-checkpoint-timeout", "5 s");
  CHECK(checkpoint_settings_of(config)->alignment == barrier_alignment::exactly_once);
  set("execution.checkpointing.unaligned.enabled", "true");
  CHECK(checkpoint_settings_of(config)->alignment == barrier_alignment::aligned_at_first);
  set("execution.checkpointing.aligned-checkpoint-timeout", "0");
  CHECK(checkpoint_settings_of(config)->alignment == barrier_alignment::unaligned);
  set("execution.checkpointing.max-concurrent-checkpoints", "2");
  CHECK(checkpoint_settings_of(config).error().message.find("max-concurrent-checkpoints = 1") !=
        std::string::npos);
  set("execution.checkpointing.max-concurrent-checkpoints", "1");
  set("execution.checkpointing.mode", "at-least-once");
  CHECK(checkpoint_settings_of(config).error().message.find("mode = exactly-once") !=
        std::string::npos);
}

TEST_CASE("batches on their way are stored with their type, and counted") {
  for (const std::uint64_t threshold : {0, 100'000}) {
    stored_world world(threshold);
    REQUIRE(world.storage.begin({1}));
    typed_batch_ptr<std::string> rows(new typed_batch<std::string>);
    rows->rows = {"on", "its", "way"};
    rows->timestamps = {1, 2, 3};
    auto snapshot = snapshot_of(1);
    snapshot.in_flight = {{channel_end::receiver, 3, rows}, {channel_end::sender, 1, rows}};
    const auto state = world.storage.store(task, snapshot);
    REQUIRE(state);
    REQUIRE(state->in_flight);
    CHECK(state->in_flight->file.empty() == (threshold != 0));
    const auto bytes = read_stored({*world.disk, "/c/job/chk-1"}, *state->in_flight);
    REQUIRE(bytes);
    const auto read = decode_in_flight(*bytes);
    REQUIRE(read);
    REQUIRE(read->size() == 2);
    CHECK((*read)[0].channel == 3);
    CHECK((*read)[1].at == channel_end::sender);
    CHECK((*read)[1].rows->fingerprint() == fingerprint_of<std::string>());
    CHECK((*read)[1].rows->size() == 3);
    byte_writer before, after;
    rows->encode_rows(before);
    (*read)[1].rows->encode_rows(after);
    CHECK(std::move(before).take() == std::move(after).take());
    auto torn = *bytes;
    torn.pop_back();
    CHECK_FALSE(decode_in_flight(torn));
  }
}

}  // namespace checkpoint_storage_test
