#pragma once

#include <cstdint>
#include <string>

#include "millrace/connectors/file_write_mode.hpp"
#include "millrace/connectors/part_places.hpp"

namespace millrace {

/// One file for each subtask: `path` itself with parallelism 1, else `path/<subtask from 1>`. It is
/// written beside its place as a hidden file, ".<name>.inprogress", which the file source skips; a
/// restart goes on in another one, ".<name>.inprogress.<number>-<attempt>", so that an attempt that
/// is lost and does not know it has no hand in it.
class fixed_place final : public part_places {
 public:
  /// `files` must outlive this. Throws `failure(invalid_argument)` after a restart with another
  /// parallelism.
  fixed_place(file_system& files, std::string path, const runtime_context& self,
              file_write_mode mode, const part_recovery& recovery);

  status start() override;
  result<opened_part> open(const std::string& bucket) override;
  std::uint64_t next_number() const noexcept override { return next_number_; }
  bool replaces() const noexcept override { return mode_ == file_write_mode::overwrite; }

 private:
  status check_place();
  status prepare_directory();
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
  std::string working_path_;
  std::uint64_t next_number_ = 0;
};

}  // namespace millrace
