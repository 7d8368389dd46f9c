#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "millrace/core/io.hpp"

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// Drops values when a compaction meets them after their time. Runs on RocksDB's threads. A
/// database is opened before it is known how long the values of its tables live.
class rocksdb_ttl_filter final : public rocksdb::CompactionFilterFactory {
 public:
  /// `time` outlives it, and the database.
  explicit rocksdb_ttl_filter(const clock& time) : time_(time) {}

  /// From now on; 0 for ever.
  void set_ttl(std::int64_t ttl_ms) noexcept { ttl_ms_ = ttl_ms; }
  const char* Name() const override { return "millrace.ttl"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override;

 private:
  class filter;

  std::atomic<std::int64_t> ttl_ms_{0};
  const clock& time_;
};

}  // namespace millrace
