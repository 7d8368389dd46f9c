#include "sim/checkpoint_files.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/checkpoint/state_file.hpp"

namespace checkpoint_files_test {

using namespace millrace;
using namespace millrace::sim;

namespace {

/// A file with nothing, as checkpoint `stored_by` stores it.
void store_shared(test::memory_files& files, std::uint64_t stored_by) {
  const auto directory = "/c/job/shared/" + std::to_string(stored_by);
  static_cast<void>(files.create_directories(directory));
  if (auto file = state_file_writer::open(files, directory, "1.sst")) REQUIRE(file->finish());
}

/// A checkpoint that shares one empty file, which checkpoint `stored_by` has stored, and has
/// nothing else, or an empty file of its own.
void complete(test::memory_files& files, std::uint64_t number, std::uint64_t stored_by,
              const std::string& state_file = {}) {
  checkpoint_metadata metadata;
  metadata.job = {1, 2};
  metadata.checkpoint = {number};
  auto& op = metadata.operators.emplace_back();
  op.uid = op.name = "operator";
  op.max_parallelism = 1;
  auto& keyed = op.subtasks.emplace_back().state.keyed.emplace();
  keyed.ends = {0};
  keyed.checksums = {0};
  keyed.bytes = keep_bytes({});
  keyed.bytes.file = state_file;
  auto& file = keyed.database.emplace().files.emplace_back();
  file.name = "1.sst";
  file.bytes.file = "../shared/" + std::to_string(stored_by) + "/1.sst";
  file.bytes.checksum = keyed.bytes.checksum;  // of nothing
  files.put("/c/job/chk-" + std::to_string(number) + "/_metadata", to_json(metadata));
}

}  // namespace

TEST_CASE("a checkpoint that has lost a file is found") {
  test::memory_files files;
  checkpoint_files watched(files, "/c");
  store_shared(files, 1);
  complete(files, 1, 1);
  complete(files, 2, 1);
  watched.look();
  CHECK(watched.violations().empty());
  REQUIRE(files.remove("/c/job/shared/1/1.sst"));
  watched.look();
  watched.look();
  CHECK(watched.violations() ==
        std::vector<std::string>{
            "checkpoint /c/job/chk-1 is complete, but its file shared/1/1.sst is gone",
            "checkpoint /c/job/chk-2 is complete, but its file shared/1/1.sst is gone"});
}

TEST_CASE("a checkpoint that is complete and not whole is found") {
  test::memory_files files;
  checkpoint_files watched(files, "/c");
  store_shared(files, 1);
  complete(files, 1, 1, "v0.state");
  watched.look();
  watched.look();
  REQUIRE(watched.violations().size() == 1);
  CHECK(
      watched.violations()[0].starts_with("checkpoint /c/job/chk-1 is complete, and not whole: "));
}

TEST_CASE("a file that no checkpoint has may stay for a while only") {
  test::memory_files files;
  checkpoint_files watched(files, "/c");
  store_shared(files, 2);
  store_shared(files, 9);  // of one that is under way
  complete(files, 2, 2);
  watched.look();
  for (std::uint64_t n = 3; n < 7; ++n) {
    CHECK(watched.violations().empty());
    store_shared(files, 3);
    complete(files, n, 3);
    static_cast<void>(files.remove("/c/job/chk-" + std::to_string(n - 1) + "/_metadata"));
    watched.look();
  }
  CHECK(watched.violations() ==
        std::vector<std::string>{
            "the file /c/job/shared/2/1.sst stays, though no checkpoint has it"});
}

TEST_CASE("a checkpoint that nobody has seen may have had any file") {
  test::memory_files files;
  checkpoint_files watched(files, "/c");
  store_shared(files, 2);
  store_shared(files, 3);
  complete(files, 2, 2);
  watched.look();
  for (std::uint64_t n = 3; n < 12; n += 2) {
    static_cast<void>(files.remove("/c/job/chk-" + std::to_string(n - 1) + "/_metadata"));
    complete(files, n + 1, 3);  // and the one before has come and gone
    watched.look();
  }
  CHECK(watched.violations().empty());
}

TEST_CASE("at the end a checkpoint that is left has the records that were on their way") {
  test::memory_files files;
  checkpoint_files watched(files, "/c");
  checkpoint_metadata metadata;
  metadata.job = {1, 2};
  metadata.checkpoint = {1};
  auto& op = metadata.operators.emplace_back();
  op.uid = op.name = "operator";
  op.max_parallelism = 1;
  op.subtasks.emplace_back().in_flight.emplace().file = "v0.state";
  files.put("/c/job/chk-1/_metadata", to_json(metadata));
  const auto problems = watched.problems_at_end(1);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].starts_with("a checkpoint that is left is damaged: "));
  CHECK(problems[0].find("/c/job/chk-1/v0.state") != std::string::npos);
}

TEST_CASE("at the end only what is to be kept may be left") {
  test::memory_files files;
  checkpoint_files watched(files, "/c");
  CHECK(watched.problems_at_end(0).empty());
  files.put("/c/job/chk-1/v0.state", "");
  CHECK(watched.problems_at_end(1) ==
        std::vector<std::string>{"the file /c/job/chk-1/v0.state is left"});
  REQUIRE(files.remove("/c/job/chk-1/v0.state"));
  complete(files, 2, 1);
  store_shared(files, 2);
  CHECK(watched.problems_at_end(0).at(0) == "1 checkpoints are left in /c/job");
  const auto problems = watched.problems_at_end(1);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].starts_with("a checkpoint that is left is damaged: "));
  CHECK(problems[1] == "the file /c/job/shared/2/1.sst is left");
}

}  // namespace checkpoint_files_test
