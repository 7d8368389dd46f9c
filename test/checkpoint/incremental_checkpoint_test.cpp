#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <span>

#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/snapshot_inspection.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_key_groups.hpp"
#include "support/forwarded_files.hpp"
#include "support/incremental_job.hpp"

// Checkpoints of state in RocksDB that share files: what is stored, what is read, what is removed.

namespace incremental_checkpoint_test {

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr checkpoint_id none{}, one{1}, two{2}, three{3};

std::vector<std::string> stored_by(const incremental_job& job, std::uint64_t n) {
  auto found = job.shared();
  std::erase_if(found,
                [&](const auto& file) { return !file.starts_with(std::to_string(n) + "/"); });
  return found;
}

/// Of a process that dies after so many changes.
class dying_files final : public forwarded_files {
 public:
  dying_files(std::shared_ptr<file_system> files, std::size_t changes)
      : forwarded_files(std::move(files)), changes_(changes) {}

  status rename(const std::string& from, const std::string& to) override {
    return is_alive() ? forwarded_files::rename(from, to) : dead();
  }
  status remove(const std::string& path) override {
    return is_alive() ? forwarded_files::remove(path) : dead();
  }

 private:
  bool is_alive() { return changes_ != 0 && changes_-- != 0; }
  static status dead() { return fail(errc::io, "the process has died"); }

  std::size_t changes_;
};

std::vector<std::string> shared_of(incremental_job& job, std::uint64_t n) {
  return shared_files_of(load_checkpoint(*job.disk, job.storage.location_of({n})).value());
}

}  // namespace

TEST_CASE("a checkpoint stores only the files that its base does not have") {
  incremental_job job;
  job.put(0, 3000, "one");
  const auto first = job.take(1, none);
  CHECK(first.stored_anew == first.bytes);
  CHECK_FALSE(stored_by(job, 1).empty());
  job.put(3000, 3300, "two");
  const auto second = job.take(2, one);
  CHECK(second.bytes > first.bytes);
  CHECK(second.stored_anew < second.bytes / 2);
  CHECK_FALSE(stored_by(job, 2).empty());
  CHECK(std::ranges::includes(shared_of(job, 2), stored_by(job, 1)));
  // Nothing has changed: nothing but the list of files is stored, and the timers.
  const auto third = job.take(3, two);
  CHECK(stored_by(job, 3).empty());
  CHECK(shared_of(job, 3) == shared_of(job, 2));
  CHECK(third.stored_anew < third.operators[0].keyed->bytes.length + 10'000);
  for (const auto& path : job.shared())
    CHECK(check_state_file(*job.disk, job.directory + "/shared/" + path));
  // All say what they have.
  const auto location = job.storage.location_of(two);
  CHECK(load_checkpoint(*job.disk, location).value() == incremental_job::metadata_of(2, second));
  CHECK(check_snapshot(*job.disk, location));
}

TEST_CASE("without a base, or with one that the task does not know, all is stored") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  const auto again = job.take(2, none);
  CHECK(again.stored_anew == again.bytes);
  CHECK(stored_by(job, 2).size() == stored_by(job, 1).size());
  // As after a start from another job's checkpoint 9.
  const auto foreign = job.take(10, {9});
  CHECK(foreign.stored_anew == foreign.bytes);
}

TEST_CASE("files go with the last checkpoint that has them") {
  incremental_job job;
  std::uint64_t n = 0;
  for (; n < 12; ++n) {
    job.put(static_cast<std::int64_t>(n) * 200, static_cast<std::int64_t>(n) * 200 + 400,
            "round " + std::to_string(n));
    job.take(n + 1, {n});
    if (n > 0) REQUIRE(job.storage.discard({n}));
    CHECK(job.shared() == shared_of(job, n + 1));
    CHECK(check_snapshot(*job.disk, job.storage.location_of({n + 1})));
  }
  REQUIRE(job.storage.discard({n}));
  CHECK(job.disk->paths().empty());
}

TEST_CASE("an aborted checkpoint leaves nothing, and is in nobody's way") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  const auto before = job.disk->paths();
  job.put(1000, 1200, "two");
  REQUIRE(job.storage.begin_incremental(two, one));
  REQUIRE(job.store(2, one));
  CHECK_FALSE(stored_by(job, 2).empty());
  REQUIRE(job.storage.discard(two));
  CHECK(job.disk->paths() == before);
  // What the task writes afterwards has no place to go.
  job.put(1200, 1300, "late");
  CHECK_FALSE(job.store(2, one));
  CHECK(job.disk->paths() == before);

  const auto third = job.take(3, one);
  CHECK(third.stored_anew < third.bytes);
  job.restart(3);
  incremental_job::check(*job.state, 0, 1000, "one");
  incremental_job::check(*job.state, 1000, 1200, "two");
  incremental_job::check(*job.state, 1200, 1300, "late");
}

TEST_CASE("checkpoints that began upon one base may end in any order") {
  incremental_job job;
  job.put(0, 1000, "base");
  job.take(1, none);
  REQUIRE(job.storage.begin_incremental(two, one));
  REQUIRE(job.storage.begin_incremental(three, one));
  job.put(1000, 1100, "two");
  const auto second = job.store(2, one).value();
  job.put(0, 1000, "all anew");
  const auto third = job.store(3, one).value();
  REQUIRE(job.storage.complete(incremental_job::metadata_of(2, second)));
  REQUIRE(job.storage.discard(one));
  CHECK(check_snapshot(*job.disk, job.storage.location_of(two)));
  REQUIRE(job.storage.complete(incremental_job::metadata_of(3, third)));
  CHECK(check_snapshot(*job.disk, job.storage.location_of(three)));
  REQUIRE(job.storage.discard(two));
  CHECK(check_snapshot(*job.disk, job.storage.location_of(three)));
  CHECK(job.shared() == shared_of(job, 3));
}

TEST_CASE("a task goes on with its files, and shares them with what was before") {
  incremental_job job;
  job.put(0, 2000, "one");
  job.take(1, none);
  job.restart(1);
  incremental_job::check(*job.state, 0, 2000, "one");
  CHECK(job.state->timers<std::int64_t>("timers").event_time_timer_count() == 2000);
  job.put(100, 300, "two");
  const auto second = job.take(2, one);
  CHECK(second.stored_anew < second.bytes / 2);
  REQUIRE(job.storage.discard(one));
  job.restart(2);
  // A fallen attempt has used numbers of files that the next one uses again.
  job.put(300, 400, "lost");
  REQUIRE(job.storage.begin_incremental(three, two));
  REQUIRE(job.store(3, two));
  REQUIRE(job.storage.discard(three));
  job.restart(2);
  job.put(300, 500, "three");
  job.take(4, two);
  REQUIRE(job.storage.discard(two));
  job.restart(4);
  incremental_job::check(*job.state, 0, 100, "one");
  incremental_job::check(*job.state, 100, 300, "two");
  incremental_job::check(*job.state, 300, 500, "three");
  incremental_job::check(*job.state, 500, 2000, "one");
}

TEST_CASE("what another database calls by the same name is another file") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.state = job.world.make<std::int64_t>();
  job.put(0, 1000, "two");
  const auto second = job.take(2, one);
  CHECK(second.stored_anew == second.bytes);
  CHECK(stored_by(job, 1).size() == stored_by(job, 2).size());
  job.restart(2);
  incremental_job::check(*job.state, 0, 1000, "two");
}

TEST_CASE("no files are left in the scratch directory") {
  incremental_job job;
  job.put(0, 500, "one");
  job.take(1, none);
  job.restart(1);
  job.take(2, one);
  std::size_t directories = 0;
  for (const auto& each : std::filesystem::directory_iterator(job.backend->directory()))
    directories += each.is_directory();
  CHECK(directories ==
        3);  // the database itself, what its next image begins with, and the log since
  // One that can't be read leaves nothing either.
  const auto path = job.directory + "/shared/" + shared_of(job, 2).front();
  auto content = job.disk->content(path);
  content[content.size() / 2] ^= 1;
  job.disk->put(path, content);
  CHECK_FALSE(job.read(2, 0, 1, job.backend.get()));
  job.state.reset();
  CHECK(std::filesystem::is_empty(job.backend->directory()));
}

TEST_CASE("another parallelism and another backend read key groups out of the files") {
  incremental_job job;
  job.put(0, 1500, "one");
  job.take(1, none);
  job.put(700, 900, "two");
  job.take(2, one);
  hashmap_state_backend hashmap;
  for (const std::uint32_t parallelism : {1, 2, 3, 5}) {
    for (const bool in_memory : {true, false}) {
      CAPTURE(parallelism);
      CAPTURE(in_memory);
      std::size_t timers = 0;
      state_world target(in_memory ? std::make_shared<hashmap_state_backend>()
                                   : std::shared_ptr<state_backend>(job.backend));
      for (std::uint32_t s = 0; s < parallelism; ++s) {
        const auto restored =
            job.read(2, s, parallelism,
                     in_memory ? static_cast<state_backend*>(&hashmap) : job.backend.get());
        REQUIRE_MESSAGE(restored, (restored ? std::string() : restored.error().message));
        const auto& op = restored->operators.at(0).value();
        const bool goes_on_with_files = !in_memory && parallelism == 1;
        CHECK((op.database != nullptr) == goes_on_with_files);
        if (goes_on_with_files) continue;
        const auto groups = key_group_range_of(s, test_max_parallelism, parallelism);
        auto state = target.make<std::int64_t>(groups);
        incremental_job::restore_groups(*state, op.keyed_state);
        incremental_job::check(*state, 0, 700, "one");
        incremental_job::check(*state, 700, 900, "two");
        incremental_job::check(*state, 900, 1500, "one");
        timers += state->timers<std::int64_t>("timers").event_time_timer_count();
      }
      if (in_memory) CHECK(timers == 1500);
    }
  }
}

TEST_CASE("the key groups of a stored state are the same in either form") {
  incremental_job job;
  job.put(0, 800, "one");
  const auto stored = job.take(1, none);
  const auto expected = snapshot_of(*job.state);
  std::vector<std::vector<std::byte>> found(test_max_parallelism);
  REQUIRE(each_key_group({*job.disk, job.storage.location_of(one)}, *stored.operators[0].keyed,
                         {0, test_max_parallelism - 1},
                         [&](std::uint32_t group, std::vector<std::byte> bytes) -> status {
                           found[group] = std::move(bytes);
                           return {};
                         }));
  CHECK(found == expected);
  std::size_t visits = 0;
  const auto ended =
      each_key_group({*job.disk, job.storage.location_of(one)}, *stored.operators[0].keyed, {3, 9},
                     [&](std::uint32_t group, const std::vector<std::byte>&) -> status {
                       CHECK(group == 3 + visits++);
                       return visits < 3 ? status() : fail(errc::cancelled, "enough");
                     });
  CHECK(visits == 3);
  CHECK(ended.error().code == errc::cancelled);
}

TEST_CASE("an incremental checkpoint can be looked into") {
  incremental_job job;
  job.put(0, 300, "one");
  job.take(1, none);
  const auto found = inspect_snapshot(*job.disk, job.storage.location_of(one));
  REQUIRE_MESSAGE(found, (found ? std::string() : found.error().message));
  const auto& op = found->operators.at(0);
  REQUIRE(op.keyed.size() == 2);
  CHECK(op.keyed[0].name == "text");
  CHECK(op.keyed[0].entries == 300);
  CHECK(op.keyed[0].key_type == "i64");
  CHECK(op.keyed[0].value_type == "str");
  CHECK(op.keyed[1].name == "timers");
  CHECK(op.keyed[1].entries == 300);
  std::size_t lines = 0;
  REQUIRE(dump_snapshot(*job.disk, job.storage.location_of(one), [&](const std::string& line) {
    CHECK(line.find("operator") != std::string::npos);
    return ++lines < 400;
  }));
  CHECK(lines == 400);
}

TEST_CASE("small state is in the metadata, files and all") {
  incremental_job job("/c/job", 1 << 20);
  job.put(0, 20, "one");
  const auto stored = job.take(1, none);
  CHECK(job.disk->paths() == std::vector<std::string>{"/c/job/chk-1/_metadata"});
  CHECK(stored.bytes > 0);
  job.restart(1);
  incremental_job::check(*job.state, 0, 20, "one");
  job.put(20, 30, "two");
  job.take(2, one);
  REQUIRE(job.storage.discard(one));
  const auto hashmap = job.read(2, 1, 2, nullptr);
  REQUIRE(hashmap);
  auto state = job.world.make<std::int64_t>(key_group_range_of(1, test_max_parallelism, 2));
  incremental_job::restore_groups(*state, hashmap->operators.at(0)->keyed_state);
  incremental_job::check(*state, 0, 20, "one");
  incremental_job::check(*state, 20, 30, "two");
}

TEST_CASE("another master counts the files of the checkpoints that are kept") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.put(1000, 1100, "two");
  job.take(2, one);
  job.put(1100, 1200, "lost");
  REQUIRE(job.storage.begin_incremental(three, two));
  REQUIRE(job.store(3, two));
  const auto left = job.shared();

  file_checkpoint_storage next(job.disk, job.directory, 0);
  const std::vector<checkpoint_id> kept{one, two};
  REQUIRE(next.recover(kept));
  REQUIRE(next.remove_leftovers(kept, three));
  CHECK(job.shared().size() < left.size());
  CHECK(stored_by(job, 3).empty());
  CHECK(check_snapshot(*job.disk, next.location_of(one)));
  CHECK(check_snapshot(*job.disk, next.location_of(two)));
  REQUIRE(next.discard(one));
  CHECK(check_snapshot(*job.disk, next.location_of(two)));
  CHECK(job.shared() == shared_of(job, 2));
  // What a crash left half removed goes, too.
  job.disk->put(job.directory + "/shared/1/v9-s9-a9-o0-000001.sst", "left over");
  job.disk->put(job.directory + "/shared/7/v9-s9-a9-o0-000001.sst", "left over");
  REQUIRE(next.remove_leftovers(std::vector<checkpoint_id>{two}, {7}));
  CHECK(job.shared() == shared_of(job, 2));
  REQUIRE(next.clean_up({}));
  CHECK(job.disk->paths().empty());
  CHECK_FALSE(job.disk->stat(job.directory));
}

TEST_CASE("who was replaced removes no file that a later checkpoint shares") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  file_checkpoint_storage former(job.disk, job.directory, 0);
  REQUIRE(former.recover(std::vector<checkpoint_id>{one}));
  // Meanwhile another master completes a checkpoint that has files of the first, and drops that.
  job.put(1000, 1100, "two");
  job.take(2, one);
  REQUIRE(job.storage.discard(one));
  REQUIRE(former.remove_leftovers(std::vector<checkpoint_id>{one}, one));
  CHECK(check_snapshot(*job.disk, former.location_of(two)));
}

TEST_CASE("while the metadata of a kept checkpoint can't be read, no shared file is removed") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.put(1000, 1100, "two");
  job.take(2, one);
  const auto all = job.shared();
  const auto path = job.storage.location_of(two) + "/_metadata";
  const auto intact = job.disk->content(path);
  job.disk->put(path, intact.substr(0, 100));
  file_checkpoint_storage next(job.disk, job.directory, 0);
  const std::vector<checkpoint_id> kept{one, two};
  CHECK_FALSE(next.recover(kept));
  CHECK(next.remove_leftovers(kept, two));
  CHECK(next.discard(one));
  CHECK(job.shared() == all);
  job.disk->put(path, intact);
  CHECK(check_snapshot(*job.disk, next.location_of(two)));
}

TEST_CASE("a checkpoint with damaged metadata keeps no shared file any more when it is given up") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.put(1000, 1100, "two");
  job.take(2, one);
  const auto path = job.storage.location_of(two) + "/_metadata";
  job.disk->put(path, "{");
  file_checkpoint_storage next(job.disk, job.directory, 0);
  CHECK_FALSE(next.recover(std::vector<checkpoint_id>{one, two}));
  next.give_up(two);
  // The next one has no base that it could share files with.
  REQUIRE(next.begin_incremental(three, none));
  const auto stored = job.store(3, none);
  REQUIRE(stored);
  REQUIRE(next.complete(incremental_job::metadata_of(3, *stored)));
  REQUIRE(next.discard(one));
  CHECK(stored_by(job, 1).empty());
  CHECK(job.disk->has(path));
  CHECK(check_snapshot(*job.disk, next.location_of(three)));
}

TEST_CASE("a claimed checkpoint is removed but for what others beside it have, too") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.put(1000, 1100, "two");
  job.take(2, one);
  job.put(0, 1100, "three");
  job.take(3, two);
  REQUIRE(remove_snapshot(*job.disk, job.storage.location_of(two)));
  CHECK(check_snapshot(*job.disk, job.storage.location_of(one)));
  CHECK(check_snapshot(*job.disk, job.storage.location_of(three)));
  CHECK_FALSE(job.disk->stat(job.storage.location_of(two)));
  REQUIRE(remove_snapshot(*job.disk, job.storage.location_of(one)));
  CHECK(job.shared() == shared_of(job, 3));
  REQUIRE(remove_snapshot(*job.disk, job.storage.location_of(three)));
  CHECK(job.disk->paths().empty());
  CHECK_FALSE(job.disk->stat(job.directory + "/shared"));
}

TEST_CASE("to remove a claimed checkpoint is gone on with wherever it has ended") {
  for (std::size_t calls = 0;; ++calls) {
    CAPTURE(calls);
    incremental_job job;
    job.put(0, 1000, "one");
    job.take(1, none);
    job.put(1000, 1100, "two");
    job.take(2, one);
    dying_files files(job.disk, calls);
    const auto done = remove_snapshot(files, job.storage.location_of(one));
    CHECK(check_snapshot(*job.disk, job.storage.location_of(two)));
    if (calls > 0) CHECK_FALSE(load_checkpoint(*job.disk, job.storage.location_of(one)));
    REQUIRE(remove_snapshot(*job.disk, job.storage.location_of(one)));
    CHECK(check_snapshot(*job.disk, job.storage.location_of(two)));
    CHECK_FALSE(job.disk->stat(job.storage.location_of(one)));
    CHECK(job.shared() == shared_of(job, 2));
    if (!done) continue;
    CHECK(calls > 3);
    break;
  }
}

TEST_CASE("a shared file that is damaged or gone is named by whoever reads it") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.put(1000, 1100, "two");
  job.take(2, one);
  const auto location = job.storage.location_of(two);
  for (const auto& name : shared_of(job, 2)) {
    const auto path = job.directory + "/shared/" + name;
    const auto intact = job.disk->content(path);
    for (const bool is_gone : {false, true}) {
      CAPTURE(path);
      CAPTURE(is_gone);
      if (is_gone) {
        REQUIRE(job.disk->remove(path));
      } else {
        auto content = intact;
        content[40] ^= 4;
        job.disk->put(path, content);
      }
      const auto check_named = [&](const error& why) {
        CHECK(is_damage(why.code));
        CHECK(why.message.find(path) != std::string::npos);
      };
      const auto checked = check_snapshot(*job.disk, location);
      REQUIRE_FALSE(checked);
      check_named(checked.error());
      const auto files = job.read(2, 0, 1, job.backend.get());
      REQUIRE_FALSE(files);
      check_named(files.error());
      const auto groups = job.read(2, 0, 1, nullptr);
      REQUIRE_FALSE(groups);
      check_named(groups.error());
      job.disk->put(path, intact);
    }
  }
  CHECK(job.read(2, 0, 1, nullptr));
}

TEST_CASE("metadata name shared files in one way only") {
  CHECK(is_shared_file("../shared/12/v0-s0-a0-o0-000004.sst"));
  for (const auto* bad :
       {"../shared/12/", "../shared/x/f", "../shared/0/f", "../shared/1/../f", "../shared/1/..",
        "../shared/1", "shared/1/f", "../other/1/f", "../../shared/1/f", "../shared/1/a/b"})
    CHECK_FALSE(is_shared_file(bad));
}

TEST_CASE("files that are as they were stored, and yet no database, are damage") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  const auto location = job.storage.location_of(one);
  auto metadata = load_checkpoint(*job.disk, location).value();
  auto& files = metadata.operators.at(0).subtasks.at(0).state.keyed->database->files;
  SUBCASE("that name another as their beginning") {
    const std::string text = "MANIFEST-999999\n";
    const auto bytes = std::as_bytes(std::span(text));
    for (auto& file : files)
      if (file.name == "CURRENT") file.bytes = keep_bytes({bytes.begin(), bytes.end()});
  }
  SUBCASE("of which one is missing") {
    std::erase_if(files, [](const auto& file) { return file.name.ends_with(".sst"); });
  }
  REQUIRE(complete_snapshot(*job.disk, location, metadata));

  const auto checked = check_snapshot(*job.disk, location);
  REQUIRE_FALSE(checked);
  CHECK(is_damage(checked.error().code));
  CHECK(checked.error().message.find("operator 'operator' (uid uid) in checkpoint 1") !=
        std::string::npos);

  // Whether it goes on with the files, or reads what is in them.
  auto restored = job.read(1, 0, 1, job.backend.get());
  REQUIRE_MESSAGE(restored, (restored ? std::string() : restored.error().message));
  const keyed_state_environment env{.operator_name = "counter",
                                    .operator_uid = "uid-of-counter",
                                    .groups = {0, test_max_parallelism - 1},
                                    .max_parallelism = test_max_parallelism,
                                    .time = &job.world.time};
  const auto opened = job.backend->open_image(env, restored->operators.at(0)->database);
  REQUIRE_FALSE(opened);
  CHECK(is_damage(opened.error().code));
  CHECK(opened.error().message.find("operator 'counter'") != std::string::npos);
  const auto read = job.read(1, 0, 2, job.backend.get());
  REQUIRE_FALSE(read);
  CHECK(is_damage(read.error().code));
}

TEST_CASE("a copy that the local disk has lost is no damage of the checkpoint") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  job.put(500, 1100, "two");
  job.take(2, one);
  const keyed_state_environment env{.operator_name = "counter",
                                    .operator_uid = "uid-of-counter",
                                    .groups = {0, test_max_parallelism - 1},
                                    .max_parallelism = test_max_parallelism,
                                    .time = &job.world.time};
  auto restored = job.read(2, 0, 1, job.backend.get());
  REQUIRE_MESSAGE(restored, (restored ? std::string() : restored.error().message));
  const auto image = restored->operators.at(0)->database;
  REQUIRE(image != nullptr);
  SUBCASE("as a whole") {
    std::filesystem::remove_all(image->directory());
  }
  SUBCASE("in part") {
    for (const auto& file : image->files())
      if (file.name.ends_with(".sst"))
        std::filesystem::remove(image->directory() + "/" + file.name);
  }
  SUBCASE("of its log") {
    for (const auto& file : image->files())
      if (file.name.ends_with(".log"))
        std::filesystem::remove(image->directory() + "/" + file.name);
  }
  SUBCASE("of the content of its log") {
    for (const auto& file : image->files())
      if (file.name.ends_with(".log"))
        std::filesystem::resize_file(image->directory() + "/" + file.name, 0);
  }
  SUBCASE("so that it reads something else") {
    std::ofstream(image->directory() + "/CURRENT") << "MANIFEST-999999\n";
  }
  const auto opened = job.backend->open_image(env, image);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::io);
  CHECK(is_retryable(opened.error().code));
  CHECK(opened.error().message.find("io.tmp.dirs") != std::string::npos);
  // From the same checkpoint, once more.
  const auto again = job.read(2, 0, 1, job.backend.get()).value().operators.at(0)->database;
  CHECK(job.backend->open_image(env, again));
}

TEST_CASE("key groups are read one by one from a database that stays open") {
  incremental_job job;
  job.put(0, 1000, "one");
  job.take(1, none);
  const auto location = job.storage.location_of(one);
  const auto metadata = load_checkpoint(*job.disk, location).value();
  const auto& keyed = *metadata.operators.at(0).subtasks.at(0).state.keyed;
  const auto all = read_key_groups({*job.disk, location}, keyed, keyed.groups()).value();
  stored_key_group_reader reader({*job.disk, location}, keyed);
  REQUIRE(reader.read(keyed.first_group));
  const auto reads = job.disk->reads();
  for (const auto& [group, bytes] : all) CHECK(reader.read(group).value() == bytes);
  // Opening it reads all files; the blocks that were read since are fewer.
  const auto then = job.disk->reads() - reads;
  stored_key_group_reader again({*job.disk, location}, keyed);
  REQUIRE(again.read(keyed.first_group));
  CHECK(then < all.size() * (job.disk->reads() - reads - then));
}

}  // namespace incremental_checkpoint_test
