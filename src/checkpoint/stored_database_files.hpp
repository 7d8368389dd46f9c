#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/state/database_image.hpp"

namespace millrace {

/// The files of a database in a snapshot, as it can be read.
class stored_database_files final : public database_files {
 public:
  /// What `from` refers to, and `database`, outlive it.
  stored_database_files(snapshot_source from, const stored_database& database);

  const std::vector<database_file>& files() const noexcept override { return names_; }
  const std::vector<state_info>& tables() const noexcept override { return database_.tables; }
  result<std::unique_ptr<file_reader>> open(const std::string& name) const override;
  status copy(const std::string& name, const std::string& path) const override;

  /// Why the first of the files that could not be read could not be, which a database in between
  /// does not hand on.
  std::optional<error> first_failure() const;

 private:
  result<const stored_bytes*> find(const std::string& name) const;
  /// Keeps it.
  error noted(const error& why) const;

  snapshot_source from_;
  const stored_database& database_;
  std::vector<database_file> names_;
  mutable std::mutex mutex_;  // of what follows
  mutable std::optional<error> first_failure_;
};

}  // namespace millrace
