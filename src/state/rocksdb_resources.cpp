#include "millrace/state/rocksdb_resources.hpp"

#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "millrace/state/object_cache.hpp"

namespace millrace {

rocksdb_resources::rocksdb_resources(std::string where, std::uint64_t memory_bytes,
                                     double object_share)
    : directory(std::move(where)),
      object_bytes(static_cast<std::size_t>(static_cast<double>(memory_bytes) * object_share)),
      blocks(rocksdb::NewLRUCache(memory_bytes - object_bytes)),
      memtables(std::make_shared<rocksdb::WriteBufferManager>((memory_bytes - object_bytes) / 2,
                                                              blocks)) {}

rocksdb_resources::~rocksdb_resources() {
  std::error_code ignored;
  if (!directory.empty()) std::filesystem::remove_all(directory, ignored);
}

rocksdb::ColumnFamilyOptions rocksdb_resources::column_family_options() const {
  rocksdb::BlockBasedTableOptions blocks_of_table;
  blocks_of_table.block_cache = blocks;
  blocks_of_table.cache_index_and_filter_blocks = true;
  blocks_of_table.cache_index_and_filter_blocks_with_high_priority = true;
  blocks_of_table.pin_l0_filter_and_index_blocks_in_cache = true;
  // A filter of a whole file may be larger than its share of a small cache, and would be read
  // from disk for every look-up.
  blocks_of_table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  blocks_of_table.partition_filters = true;
  blocks_of_table.metadata_block_size = 4096;
  blocks_of_table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  blocks_of_table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  blocks_of_table.format_version = 5;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks_of_table));
  options.write_buffer_size =
      std::clamp<std::size_t>(blocks->GetCapacity() / 8, 1u << 20, 64u << 20);
  options.target_file_size_base = std::max<std::size_t>(options.write_buffer_size, 8u << 20);
  options.max_bytes_for_level_base = 4 * options.target_file_size_base;
  options.level_compaction_dynamic_level_bytes = true;
  // Most keys that are looked up are not in a memtable, whose skip list is dear to search.
  options.memtable_prefix_bloom_size_ratio = 0.1;
  options.memtable_whole_key_filtering = true;
  // What the cache of objects writes back comes sorted, so the next row of a key group belongs
  // close to the last one.
  options.memtable_insert_with_hint_prefix_extractor.reset(
      rocksdb::NewFixedPrefixTransform(row_group_bytes));
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kLZ4Compression;
  return options;
}

rocksdb::DBOptions rocksdb_resources::database_options() const {
  rocksdb::DBOptions options;
  options.write_buffer_manager = memtables;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.keep_log_file_num = 1;
  // Each snapshot copies it.
  options.max_manifest_file_size = 4u << 20;
  options.info_log_level = rocksdb::InfoLogLevel::HEADER_LEVEL;
  options.avoid_flush_during_shutdown = true;
  // The log of an image was cut between two writes, so what ends within one is damaged.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  return options;
}

}  // namespace millrace
