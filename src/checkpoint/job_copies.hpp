#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/checkpoint/local_copies.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// The copies of one job, as its tasks know them. Safe to use from any thread; all blocks.
class job_copies {
 public:
  /// `originals` is the directory of the job among the checkpoints.
  job_copies(std::shared_ptr<local_copies> all, const job_id& job, std::string originals)
      : all_(std::move(all)), job_(job), originals_(std::move(originals)) {}

  /// What a copy of that file is called here: "chk-<n>/<file>" or "shared/<n>/<file>". Nothing for
  /// what is no state file of a checkpoint of this job, whatever its path may be made of.
  std::optional<std::string> name_of(const std::string& original) const;
  /// Where the copy of a file is, if there is one; nothing as name_of.
  std::optional<std::string> path_of(const std::string& original) const;

  /// Copies a file that is about to be written: a second name for it, if this disk and that of the
  /// original are one, else what is appended to the writer that is returned, which goes on to
  /// `original`. Nothing of it makes the original fail.
  std::unique_ptr<file_writer> copy(std::unique_ptr<file_writer> original, const std::string& path);

  /// See local_copies::need.
  void need(checkpoint_id checkpoint, const std::vector<std::string>& originals);
  file_system& disk() const noexcept { return all_->disk(); }

 private:
  class copying_writer;

  std::shared_ptr<local_copies> all_;
  job_id job_;
  std::string originals_;
};

/// The files of another file system, of which those that are made are copied. Safe to use from any
/// thread.
class copied_files final : public file_system {
 public:
  copied_files(std::shared_ptr<file_system> originals, std::shared_ptr<job_copies> copies)
      : originals_(std::move(originals)), copies_(std::move(copies)) {}

  result<file_info> stat(const std::string& path) override { return originals_->stat(path); }
  result<std::vector<file_info>> list(const std::string& directory) override {
    return originals_->list(directory);
  }
  result<std::unique_ptr<file_reader>> open_reader(const std::string& path) override {
    return originals_->open_reader(path);
  }
  result<std::unique_ptr<file_writer>> open_writer(const std::string& path,
                                                   write_mode mode) override;
  status create_directories(const std::string& path) override {
    return originals_->create_directories(path);
  }
  status rename(const std::string& from, const std::string& to) override {
    return originals_->rename(from, to);
  }
  status link(const std::string& from, const std::string& to) override {
    return originals_->link(from, to);
  }
  status remove(const std::string& path) override { return originals_->remove(path); }
  status sync_directory(const std::string& path) override {
    return originals_->sync_directory(path);
  }

 private:
  std::shared_ptr<file_system> originals_;
  std::shared_ptr<job_copies> copies_;
};

}  // namespace millrace
