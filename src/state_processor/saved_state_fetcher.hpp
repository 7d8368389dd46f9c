#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/core/file_system.hpp"
#include "millrace/source/fetching_reader.hpp"
#include "millrace/state/encoded_key_group.hpp"
#include "millrace/state/redistribution.hpp"
#include "millrace/state_processor/saved_state_query.hpp"

namespace millrace {

/// A key group, or the operator state of a subtask, as it was saved.
struct saved_piece {
  std::uint32_t number = 0;
  /// What the subtasks have saved of the key group, those with entries: one at most, usually.
  std::vector<encoded_key_group> groups;
  /// What was asked for: several if the subtask has it by types old and new.
  std::vector<saved_operator_state> states;
};

/// The operator of one reader, whose metadata are read once, by the first fetch.
class saved_operator_of_reader;

/// Reads the pieces of splits of one query in I/O threads, those without content left out.
class saved_state_fetching {
 public:
  /// `files` outlives it.
  saved_state_fetching(file_system& files, saved_state_query query);

  using opener = std::function<result<std::unique_ptr<split_fetcher<saved_piece>>>()>;
  /// How to read the split from where it is.
  opener open(const saved_state_split& split) const;

 private:
  std::shared_ptr<saved_operator_of_reader> of_;
};

}  // namespace millrace
