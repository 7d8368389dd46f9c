#pragma once

#include <cstdint>
#include <string>

#include "millrace/connectors/file_write_mode.hpp"
#include "millrace/connectors/part_places.hpp"

namespace millrace {

/// One file for each subtask: `path` itself with parallelism 1, else `path/<subtask from 1>`. It is
/// written beside its place as a hidden file, ".<name>.inprogress.<job>-<number>-<attempt>", which
/// the file source skips. A restart, or another job, goes on in one of its own, so that an attempt
/// that is lost and does not know it has no hand in it.
class fixed_place final : public part_places {
 public:
  /// `files` must outlive this. Throws `failure(invalid_argument)` after a restart with another
  /// parallelism.
  fixed_place(file_system& files, std::string path, const runtime_context& self,
              file_write_mode mode, const part_recovery& recovery);

  status start() override;
  result<opened_part> open(const std::string& bucket) override;
  std::uint64_t next_number() const noexcept override { return next_number_; }
  bool is_ours(const std::string& working) const override;
  bool replaces() const noexcept override { return mode_ == file_write_mode::overwrite; }

 private:
  status check_place();
  status prepare_directory();
  status make_directory();
  status remove_files_of_more_subtasks();
  status remove_lost_files();
  bool is_lost(const std::string& name) const;

  file_system& files_;
  std::string path_;
  std::uint32_t subtask_;
  std::uint32_t parallelism_;
  std::uint32_t attempt_;
  file_write_mode mode_;
  bool is_restored_;
  std::string directory_;
  std::string final_path_;
  std::string working_prefix_;  // of the names of this job's files
  std::uint64_t next_number_ = 0;
};

}  // namespace millrace
