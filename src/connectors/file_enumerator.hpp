#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "millrace/connectors/file_source.hpp"
#include "millrace/connectors/line_reader.hpp"
#include "millrace/source/split_enumerator.hpp"

namespace millrace {

/// The snapshot of a file_enumerator.
struct file_enumeration {
  bool is_listed = false;          ///< The input was listed once, at least.
  std::deque<file_split> waiting;  ///< Nobody has them yet.
  std::set<std::string> known;     ///< Files that were found; only while new ones are looked for.
  std::uint64_t bytes = 0;         ///< Of all files that were found.
};

/// What readers are told, for their progress.
struct file_input_size {
  std::uint64_t bytes = 0;  ///< The reader's share of all there is to read.
};

/// Lists the files of a path, cuts them into splits and hands these out in order to whoever asks; a
/// fast reader takes more (Flink's StaticFileSplitEnumerator and ContinuousFileSplitEnumerator).
///
/// A list that can't be had fails the job, but not while new files are looked for: then there was
/// one before, and it is tried again.
class file_enumerator final : public split_enumerator<file_split, file_enumeration> {
 public:
  file_enumerator(enumerator_context& context, std::string path, file_source_options options,
                  file_enumeration state)
      : split_enumerator(context),
        path_(std::move(path)),
        options_(options),
        state_(std::move(state)) {}

  void start() override;
  void add_reader(std::uint32_t subtask) override;
  void handle_split_request(std::uint32_t subtask) override;
  void add_splits_back(std::vector<file_split> splits, std::uint32_t subtask) override;
  file_enumeration snapshot(checkpoint_id) override { return state_; }
  void on_wake() override;

 private:
  bool is_endless() const noexcept { return options_.discovery_interval.has_value(); }
  void discover();
  void on_listed(const result<std::vector<file_info>>& found);
  void add_files(const std::vector<file_info>& files);
  std::uint64_t split_bytes_for(const std::vector<file_info>& files) const;
  void serve();
  void tell_size(std::uint32_t subtask);

  std::string path_;
  file_source_options options_;
  file_enumeration state_;
  std::deque<std::uint32_t> asking_;  // readers that wait for a split
};

}  // namespace millrace
