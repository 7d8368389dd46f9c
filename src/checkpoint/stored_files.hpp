#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/checkpoint/stored_state.hpp"

namespace millrace {

/// Gathers the paths of the files that pieces of state are in, each once.
class stored_files {
 public:
  /// `directory` is that of the metadata.
  explicit stored_files(std::string directory) : directory_(std::move(directory)) {}

  void add(const stored_bytes& piece);
  /// With the files of its database.
  void add(const stored_keyed_state& state);
  void add(const stored_task_state& state);

  /// Ascending.
  std::vector<std::string> paths() const { return {paths_.begin(), paths_.end()}; }

 private:
  std::string directory_;
  std::set<std::string> paths_;
};

}  // namespace millrace
