#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>
#include <rocksdb/write_buffer_manager.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// What all stores of a backend have in common. Safe to use from any thread.
struct rocksdb_resources {
  /// `where` goes with it, unless it is empty.
  rocksdb_resources(std::string where, std::uint64_t memory_bytes, double object_share);
  ~rocksdb_resources();

  rocksdb::ColumnFamilyOptions column_family_options() const;
  rocksdb::DBOptions database_options() const;

  const std::string directory;
  const std::size_t object_bytes;
  const std::shared_ptr<rocksdb::Cache> blocks;
  const std::shared_ptr<rocksdb::WriteBufferManager> memtables;
  std::atomic<std::uint32_t> open_stores{0};
  std::atomic<std::uint64_t> directories_made{0};  ///< Each has the number in its name.
};

}  // namespace millrace
