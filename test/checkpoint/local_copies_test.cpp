#include "millrace/checkpoint/local_copies.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "millrace/checkpoint/job_copies.hpp"
#include "millrace/checkpoint/local_restore.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/core/logging.hpp"
#include "support/memory_files.hpp"
#include "support/temporary_directory.hpp"

namespace local_copies_test {

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

const job_id job{7, 8};
const std::string originals = "/c/" + to_string(job);
const std::string local = "/local/" + to_string(job);

local_copies::time_point at(std::chrono::milliseconds ms) {
  return local_copies::time_point(ms);
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

/// The lines of the log while it lives.
class captured_log {
 public:
  captured_log() {
    redirect_log([this](log_level level, std::string_view line) {
      std::lock_guard lock(mutex_);
      if (level >= log_level::warn) warnings_.emplace_back(line);
    });
  }
  ~captured_log() { redirect_log({}); }

  std::vector<std::string> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(warnings_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> warnings_;
};

/// A task manager's copies on a disk of its own, and the files that all nodes share.
struct copied_world {
  captured_log log;
  std::shared_ptr<memory_files> shared = std::make_shared<memory_files>();
  std::shared_ptr<memory_files> disk = std::make_shared<memory_files>();
  std::shared_ptr<local_copies> all = std::make_shared<local_copies>(disk, "/local");
  std::shared_ptr<job_copies> copies = std::make_shared<job_copies>(all, job, originals);
  copied_files files{shared, copies};

  copied_world() { all->job_came(job); }

  /// A state file with one piece, as a task stores it. Its directory is made, as a job master does.
  stored_bytes store(const std::string& name, const std::string& content) {
    const auto slash = name.rfind('/');
    const auto directory = originals + "/" + name.substr(0, slash);
    REQUIRE(shared->create_directories(directory));
    auto file = state_file_writer::open(files, directory, name.substr(slash + 1));
    REQUIRE(file);
    auto piece = file->append(bytes_of(content));
    REQUIRE(piece);
    REQUIRE(file->finish());
    return *piece;
  }
  result<std::vector<std::byte>> read(local_restore& from, std::uint64_t checkpoint,
                                      const stored_bytes& piece) {
    return read_stored({*shared, originals + "/chk-" + std::to_string(checkpoint), &from}, piece);
  }
  /// What copies there are, below the directory of the job.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& path : disk->paths()) {
      REQUIRE(path.starts_with(local + "/"));
      found.push_back(path.substr(local.size() + 1));
    }
    return found;
  }
};

using names = std::vector<std::string>;

}  // namespace

// -- writing --------------------------------------------------------------------------------------

TEST_CASE("a state file is copied byte for byte while it is written") {
  copied_world world;
  world.store("chk-3/v0-s1-a2.state", "some state");
  world.store("shared/3/v0-s1-a2-o0-000007.sst", "a table");
  CHECK(world.names() == names{"chk-3/v0-s1-a2.state", "shared/3/v0-s1-a2-o0-000007.sst"});
  for (const auto& name : world.names())
    CHECK(world.disk->content(local + "/" + name) == world.shared->content(originals + "/" + name));
  CHECK(world.log.take().empty());
}

TEST_CASE("a copy on the disk of the original is a second name for it") {
  captured_log log;
  const temporary_directory directory;
  const auto files = std::make_shared<local_file_system>();
  const auto all = std::make_shared<local_copies>(files, directory.path("local"));
  all->job_came(job);
  const auto copies = std::make_shared<job_copies>(all, job, directory.path("job"));
  copied_files copied(files, copies);
  REQUIRE(files->create_directories(directory.path("job/chk-1")));
  auto file = state_file_writer::open(copied, directory.path("job/chk-1"), "v0-s0-a0.state");
  REQUIRE(file);
  const auto piece = file->append(bytes_of("state")).value();
  REQUIRE(file->finish());
  const auto original = directory.path("job/chk-1/v0-s0-a0.state");
  CHECK(std::filesystem::hard_link_count(original) == 2);

  // It stays when the original goes.
  REQUIRE(files->remove(original));
  local_restore from(copies);
  CHECK(read_stored({*files, directory.path("job/chk-1"), &from}, piece) == bytes_of("state"));
  CHECK(from.copy_bytes() == 5);
  CHECK(log.take().empty());
}

TEST_CASE("what is in the way of a copy is not written to") {
  const temporary_directory directory;
  const auto files = std::make_shared<local_file_system>();
  const auto other = directory.write("other", "precious");
  const auto link = directory.path("local/" + to_string(job) + "/chk-1/v0-s0-a0.state");
  REQUIRE(files->create_directories(std::filesystem::path(link).parent_path().string()));
  std::filesystem::create_hard_link(other, link);
  const auto all = std::make_shared<local_copies>(files, directory.path("local"));
  all->job_came(job);
  // As if the original were on another disk: links are not possible.
  const auto shared = std::make_shared<memory_files>();
  copied_files copied(shared, std::make_shared<job_copies>(all, job, originals));
  REQUIRE(shared->create_directories(originals + "/chk-1"));
  auto file = state_file_writer::open(copied, originals + "/chk-1", "v0-s0-a0.state");
  REQUIRE(file);
  REQUIRE(file->finish());
  CHECK(directory.read("other") == "precious");
  CHECK(directory.read("local/" + to_string(job) + "/chk-1/v0-s0-a0.state") ==
        shared->content(originals + "/chk-1/v0-s0-a0.state"));
}

TEST_CASE("only state files of the job's own checkpoints have copies, whatever paths are made of") {
  copied_world world;
  const auto name_of = [&](const std::string& path) { return world.copies->name_of(path); };
  CHECK(name_of(originals + "/chk-12/v0-s0-a0.state") == "chk-12/v0-s0-a0.state");
  CHECK(name_of(originals + "/shared/2/v3-s4-a5-o0-000001.sst") ==
        "shared/2/v3-s4-a5-o0-000001.sst");
  for (const std::string path :
       {"/c/other/chk-1/v0-s0-a0.state", "/s/savepoint-1/v0-s0-a0.state", "/chk-1/v0-s0-a0.state"})
    CHECK_FALSE(name_of(path));
  for (const std::string path :
       {"", "chk-1", "chk-1/", "chk-/v0-s0-a0.state", "chk-0/v0-s0-a0.state",
        "chk-1x/v0-s0-a0.state", "chk-1/_metadata", "chk-1/_metadata.part", "chk-1/..",
        "chk-1/../v0-s0-a0.state", "chk-1/v0-s0-a0/../../../x", "../chk-1/v0-s0-a0.state",
        "chk-1/../../chk-1/v0-s0-a0.state", "shared/1/../2/v0-s0-a0.state", "shared/v0-s0-a0.state",
        "chk-99999999999999999999/v0-s0-a0.state", "chk-1/v0-s0", "chk-1/vx-s0-a0.state"}) {
    CAPTURE(path);
    CHECK_FALSE(name_of(originals + "/" + path));
  }
  REQUIRE(world.shared->create_directories(originals + "/chk-1"));
  REQUIRE(world.files.open_writer(originals + "/chk-1/_metadata.part", write_mode::create));
  CHECK(world.names().empty());
}

TEST_CASE("a disk that is full or can't be written to takes no checkpoint with it") {
  SUBCASE("full") {
    copied_world world;
    world.disk->fill_disk();
    const auto piece = world.store("chk-1/v0-s0-a0.state", "state");
    world.store("chk-1/v0-s1-a0.state", "state");
    CHECK(world.names().empty());  // not even half of it
    CHECK(world.log.take().size() == 1);
    local_restore from(world.copies);
    CHECK(world.read(from, 1, piece) == bytes_of("state"));
  }
  SUBCASE("forbidden") {
    copied_world world;
    world.disk->forbid(local + "/chk-1");
    world.store("chk-1/v0-s0-a0.state", "state");
    world.store("chk-1/v0-s1-a0.state", "state");
    CHECK(world.log.take().size() == 1);
    world.store("chk-2/v0-s0-a0.state", "state");
    CHECK(world.names() == names{"chk-2/v0-s0-a0.state"});
    // It had gone well in between.
    world.disk->forbid(local + "/chk-3");
    world.store("chk-3/v0-s0-a0.state", "state");
    CHECK(world.log.take().size() == 1);
  }
}

TEST_CASE("an original that can't be written fails as without a copy, of which nothing is left") {
  copied_world world;
  REQUIRE(world.shared->create_directories(originals + "/chk-1"));
  auto file = state_file_writer::open(world.files, originals + "/chk-1", "v0-s0-a0.state");
  REQUIRE(file);
  world.shared->fill_disk();
  CHECK_FALSE(file->append(bytes_of("state")));
  file = tl::unexpected(error{errc::io, "given up"});
  CHECK(world.names().empty());
}

// -- reading --------------------------------------------------------------------------------------

TEST_CASE("state is read from its copy, without a look at the original") {
  copied_world world;
  const auto own = world.store("chk-2/v0-s0-a0.state", "its own");
  auto common = world.store("shared/1/v0-s0-a0-o0-000007.sst", "shared by checkpoints");
  common.file = "../shared/1/" + common.file;
  for (const auto& path : world.shared->paths()) REQUIRE(world.shared->remove(path));
  local_restore from(world.copies);
  CHECK(world.read(from, 2, own) == bytes_of("its own"));
  CHECK(world.read(from, 2, common) == bytes_of("shared by checkpoints"));
  CHECK(from.copy_bytes() == own.length + common.length);
  CHECK(from.original_bytes() == 0);
}

TEST_CASE("a copy that is damaged or gone leaves the original to be read") {
  const std::string content = "what a task remembers";
  const auto path = local + "/chk-1/v0-s0-a0.state";
  const std::vector<std::pair<std::string, std::function<std::string(std::string)>>> damages{
      {"a byte is another",
       [](std::string s) {
         s[20] ^= 1;
         return s;
       }},
      {"it begins otherwise",
       [](std::string s) {
         s[0] = 'X';
         return s;
       }},
      {"it is cut off", [](const std::string& s) { return s.substr(0, 20); }},
      {"it is empty", [](const std::string&) { return std::string(); }}};
  for (const auto& [what, damage] : damages) {
    CAPTURE(what);
    copied_world world;
    const auto piece = world.store("chk-1/v0-s0-a0.state", content);
    world.disk->put(path, damage(world.disk->content(path)));
    local_restore from(world.copies);
    CHECK(world.read(from, 1, piece) == bytes_of(content));
    CHECK(world.read(from, 1, piece) == bytes_of(content));
    CHECK(from.copy_bytes() == 0);
    CHECK(from.original_bytes() == 2 * content.size());
    const auto warnings = world.log.take();
    REQUIRE(warnings.size() == 1);  // and then the copy was left alone
    CHECK(warnings[0].find(path) != std::string::npos);
  }
  copied_world world;
  const auto piece = world.store("chk-1/v0-s0-a0.state", content);
  REQUIRE(world.disk->remove(path));
  local_restore from(world.copies);
  CHECK(world.read(from, 1, piece) == bytes_of(content));
  CHECK(from.original_bytes() == content.size());
  CHECK(world.log.take().empty());
}

TEST_CASE("where copy and original are damaged, the original is named") {
  copied_world world;
  const auto piece = world.store("chk-1/v0-s0-a0.state", "state");
  world.disk->put(local + "/chk-1/v0-s0-a0.state", "junk");
  world.shared->put(originals + "/chk-1/v0-s0-a0.state", "junk");
  local_restore from(world.copies);
  const auto read = world.read(from, 1, piece);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == errc::invalid_data);
  CHECK(read.error().message.find(originals) != std::string::npos);
}

// -- pruning --------------------------------------------------------------------------------------

TEST_CASE("a complete checkpoint removes the copies that it does not need") {
  copied_world world;
  world.store("chk-1/v0-s0-a0.state", "one");
  world.store("shared/1/v0-s0-a0-o0-000001.sst", "kept");
  world.store("shared/1/v0-s0-a0-o0-000002.sst", "compacted");
  world.copies->need(
      {1}, {originals + "/chk-1/v0-s0-a0.state", originals + "/shared/1/v0-s0-a0-o0-000001.sst",
            originals + "/shared/1/v0-s0-a0-o0-000002.sst"});
  world.all->confirm(job, {1});
  CHECK(world.names().size() == 3);

  world.store("chk-2/v0-s0-a0.state", "two");
  world.copies->need(
      {2}, {originals + "/chk-2/v0-s0-a0.state", originals + "/shared/1/v0-s0-a0-o0-000001.sst"});
  world.store("chk-3/v0-s0-a0.state", "under way");
  world.all->confirm(job, {2});
  CHECK(world.names() ==
        names{"chk-2/v0-s0-a0.state", "chk-3/v0-s0-a0.state", "shared/1/v0-s0-a0-o0-000001.sst"});
  CHECK_FALSE(world.disk->stat(local + "/chk-1"));

  // Checkpoint 3 is not to be.
  world.store("shared/3/v0-s0-a0-o0-000003.sst", "under way");
  world.all->abort(job, {3});
  CHECK(world.names() == names{"chk-2/v0-s0-a0.state", "shared/1/v0-s0-a0-o0-000001.sst"});
  CHECK_FALSE(world.disk->stat(local + "/shared/3"));
}

TEST_CASE("the copies of a job go when it has ended, even with a task that still writes") {
  copied_world world;
  world.store("chk-1/v0-s0-a0.state", "state");
  REQUIRE(world.shared->create_directories(originals + "/chk-2"));
  auto late = state_file_writer::open(world.files, originals + "/chk-2", "v0-s0-a0.state");
  REQUIRE(late);
  world.all->job_left(job, true, at(0ms));
  CHECK_FALSE(world.all->is_untidy(at(0ms)));  // not while it is being written to
  CHECK(late->finish());
  late = tl::unexpected(error{errc::io, "closed"});
  REQUIRE(world.all->is_untidy(at(0ms)));
  world.all->tidy(at(0ms));
  CHECK(world.names().empty());
  CHECK_FALSE(world.disk->stat(local));
  // Who comes too late finds no place.
  world.store("chk-3/v0-s0-a0.state", "late");
  CHECK(world.names().empty());
}

TEST_CASE("the copies of a job that only left are kept for a while") {
  copied_world world;
  world.store("chk-1/v0-s0-a0.state", "state");
  world.all->job_left(job, false, at(1s));
  CHECK_FALSE(world.all->is_untidy(at(1s + local_copies::idle_max - 1ms)));
  world.all->job_came(job);
  CHECK_FALSE(world.all->is_untidy(at(24h)));
  world.all->job_left(job, false, at(24h));
  CHECK(world.names().size() == 1);
  world.all->tidy(at(24h + local_copies::idle_max));
  CHECK(world.names().empty());
}

TEST_CASE("copies that a dead process has left are found, used, and removed if nobody comes") {
  copied_world world;
  const job_id other{9, 9};
  const auto piece = world.store("chk-4/v0-s0-a0.state", "state");
  world.store("chk-4/v0-s1-a0.state", "state");
  world.store("chk-4/v1-s1-a0.state", "state");
  world.store("shared/3/v2-s5-a0-o0-000001.sst", "state");
  world.disk->put("/local/" + to_string(other) + "/chk-1/v0-s0-a0.state", "state");
  world.disk->put("/local/lock", "process 7");

  const auto next = std::make_shared<local_copies>(world.disk, "/local");
  next->recover(at(1s));
  const auto jobs = next->jobs();
  REQUIRE(jobs.size() == 2);
  CHECK(jobs[0].job == job);
  CHECK(jobs[0].subtasks == std::vector<graph::subtask_ref>{{0, 0}, {0, 1}, {1, 1}, {2, 5}});
  CHECK(jobs[0].slots() == 2);
  CHECK(next->copies_of(other).subtasks == std::vector<graph::subtask_ref>{{0, 0}});

  next->job_came(job);
  local_restore from(std::make_shared<job_copies>(next, job, originals));
  CHECK(world.read(from, 4, piece) == bytes_of("state"));
  CHECK(from.copy_bytes() == piece.length);
  next->tidy(at(1s + local_copies::idle_max));
  CHECK_FALSE(world.disk->stat("/local/" + to_string(other)));
  CHECK(world.disk->has("/local/lock"));
  REQUIRE(next->jobs().size() == 1);

  // The next checkpoint of the job removes what it does not need of it.
  next->confirm(job, {5});
  CHECK(world.disk->paths() == names{"/local/lock"});
  CHECK(next->jobs().empty());
}

}  // namespace local_copies_test
