#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/state/state_backend.hpp"
#include "support/temporary_directory.hpp"

namespace millrace::sim {

/// Keeps state in memory and freezes it as a database does that never changes a file: each image
/// has the files of the one before and one more, with what has changed since, but for the time when
/// they are merged into one. So native snapshots, and files that checkpoints share, are what they
/// are with RocksDB, of a few bytes and without threads. For one process of the simulation.
class layered_backend final : public state_backend {
 public:
  std::string_view type() const noexcept override { return "layered"; }
  result<std::unique_ptr<byte_store>> open_store(const keyed_state_environment& who) override;
  result<std::shared_ptr<database_image>> bring(const database_files& from) override;
  result<std::unique_ptr<byte_store>> open_image(const keyed_state_environment& who,
                                                 std::shared_ptr<database_image> image) override;

 private:
  class store;
  /// Shared with the stores, which may live longer.
  struct place {
    test::temporary_directory directory;
    std::uint64_t images_made = 0;
    std::uint64_t databases_made = 0;

    std::string next_image();
  };

  std::shared_ptr<place> place_ = std::make_shared<place>();
};

}  // namespace millrace::sim
