#pragma once

#include <cstdint>
#include <memory>

#include "millrace/state/rocksdb_state_backend.hpp"
#include "support/state_world.hpp"
#include "support/temporary_directory.hpp"

namespace millrace::test {

/// Keyed state in RocksDB, in a directory of its own.
struct rocksdb_world {
  explicit rocksdb_world(std::uint64_t memory_bytes = 64ull << 20)
      : backend(rocksdb_state_backend::open({directory.path(), memory_bytes}).value()) {}

  temporary_directory directory;
  std::shared_ptr<rocksdb_state_backend> backend;
  state_world world{backend};
};

}  // namespace millrace::test
