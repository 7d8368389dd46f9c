#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "millrace/core/io.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/database_image.hpp"

namespace millrace {

/// Whose state it is, and what the world gives to it.
struct keyed_state_environment {
  std::string operator_name;        ///< As plans, logs and errors show it.
  std::string operator_uid;         ///< By which its state is found again.
  std::uint32_t subtask_index = 0;  ///< From 0.
  key_group_range groups;           ///< The key groups that the subtask owns.
  /// Number of key groups of all subtasks together.
  std::uint32_t max_parallelism = max_parallelism_default;
  const clock* time = nullptr;  ///< Outlives the state.
};

/// Chosen by `state.backend.type` and shared by all tasks of a task manager. Safe to use from any
/// thread.
class state_backend {
 public:
  virtual ~state_backend() = default;

  /// "hashmap", "rocksdb"
  virtual std::string_view type() const noexcept = 0;
  /// Where an operator's keyed state lives; null for live objects in memory. May block. The store
  /// may outlive the backend.
  virtual result<std::unique_ptr<byte_store>> open_store(const keyed_state_environment& who) = 0;

  /// Copies the files of a database to where `open_image` can go on with them. Null if this backend
  /// has no use for them: then it is restored from canonical key groups. Blocks.
  virtual result<std::shared_ptr<database_image>> bring(const database_files&) { return nullptr; }
  /// In place of open_store, with what the image has. Requires that it comes from `bring`, and is
  /// used once.
  virtual result<std::unique_ptr<byte_store>> open_image(const keyed_state_environment& who,
                                                         std::shared_ptr<database_image>) {
    return fail(errc::internal, "the state of operator '" + who.operator_name +
                                    "' is not kept in files that could be opened");
  }
};

/// State as live objects in open-addressing tables.
class hashmap_state_backend final : public state_backend {
 public:
  std::string_view type() const noexcept override { return "hashmap"; }
  result<std::unique_ptr<byte_store>> open_store(const keyed_state_environment&) override {
    return nullptr;
  }
};

}  // namespace millrace
