// Keyed state against what one would write by hand, in one thread and without an engine:
//
// - a value_state<int64> of the hashmap backend, one increment per record, against a
//   boost::unordered_flat_map of the same keys;
// - the same of the rocksdb backend with all keys in its cache, against the hashmap backend;
// - the same of the rocksdb backend with ten times as many keys as its cache holds, against RocksDB
//   itself with a get and a put per record, with the same memory and the same settings.
//
//   bench_keyed_state [records] [rounds] [hashmap|cached|uncached]

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "compare.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"
#include "spread_key.hpp"

using namespace millrace;

namespace {

constexpr std::uint64_t batch_rows = 4096;
constexpr std::uint64_t block_rows = 64;
/// Blocks of reads from disk are larger, so that RocksDB can serve them together.
constexpr std::uint64_t disk_block_rows = 1024;

std::int64_t key_of(std::uint64_t n, std::uint64_t keys) noexcept {
  return static_cast<std::int64_t>(bench::spread_key(n, keys));
}

/// Records as an operator gets them: whole batches.
template <class Process>
void for_each_batch(std::uint64_t first, std::uint64_t records, std::uint64_t keys,
                    Process&& process) {
  std::array<std::int64_t, batch_rows> rows;
  for (std::uint64_t n = 0; n < records; n += batch_rows) {
    const auto count = std::min(batch_rows, records - n);
    for (std::uint64_t i = 0; i < count; ++i) rows[i] = key_of(first + n + i, keys);
    process(std::span<const std::int64_t>(rows.data(), count));
  }
}

/// Each key once, in batches.
template <class Process>
void for_each_key(std::uint64_t keys, Process&& process) {
  std::array<std::int64_t, batch_rows> rows;
  for (std::uint64_t first = 0; first < keys; first += batch_rows) {
    const auto count = std::min(batch_rows, keys - first);
    std::iota(rows.begin(), rows.begin() + count, static_cast<std::int64_t>(first));
    process(std::span<const std::int64_t>(rows.data(), count));
  }
}

const system_clock_source time_of_system;

keyed_state_environment environment() {
  return {.operator_name = "bench",
          .operator_uid = "bench",
          .groups = {0, max_parallelism_default - 1},
          .max_parallelism = max_parallelism_default,
          .time = &time_of_system};
}

/// One operator's state: counts records per key.
class counter {
 public:
  explicit counter(state_backend& backend, std::uint64_t block)
      : state_(environment(), open(backend)),
        count_(state_.get_state(value_state_descriptor<std::int64_t>("count"))),
        hashes_(block) {}

  void process(std::span<const std::int64_t> rows) {
    for (std::size_t begin = 0; begin < rows.size(); begin += hashes_.size()) {
      const auto block = rows.subspan(begin, std::min(hashes_.size(), rows.size() - begin));
      const auto hashes = std::span(hashes_).first(block.size());
      for (std::size_t i = 0; i < block.size(); ++i) hashes[i] = key_hash(block[i]);
      state_.prefetch(block, hashes);
      for (std::size_t i = 0; i < block.size(); ++i) {
        state_.set_current_key(block[i], hashes[i]);
        ++count_.get_or_default();
      }
    }
  }

 private:
  static std::unique_ptr<byte_store> open(state_backend& backend) {
    auto store = backend.open_store(environment());
    if (!store) throw failure(store.error());
    return std::move(*store);
  }

  keyed_state_backend<std::int64_t> state_;
  value_state<std::int64_t> count_;
  std::vector<std::uint64_t> hashes_;
};

std::unique_ptr<rocksdb_state_backend> open_rocksdb(std::uint64_t memory_bytes) {
  auto made = rocksdb_state_backend::open(
      {.directory = std::filesystem::temp_directory_path().string(), .memory_bytes = memory_bytes});
  if (!made) throw failure(made.error());
  return std::move(*made);
}

/// RocksDB by itself, as an engine without a cache of objects uses it.
class bare_rocksdb {
 public:
  explicit bare_rocksdb(std::uint64_t memory_bytes)
      : path_((std::filesystem::temp_directory_path() /
               ("millrace-bench-" + std::to_string(::getpid())))
                  .string()) {
    const auto blocks = rocksdb::NewLRUCache(memory_bytes);
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = blocks;
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.metadata_block_size = 4096;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    table.format_version = 5;
    rocksdb::Options options;
    options.create_if_missing = true;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.write_buffer_manager =
        std::make_shared<rocksdb::WriteBufferManager>(memory_bytes / 2, blocks);
    options.write_buffer_size = std::clamp<std::size_t>(memory_bytes / 8, 1u << 20, 64u << 20);
    options.target_file_size_base = std::max<std::size_t>(options.write_buffer_size, 8u << 20);
    options.max_bytes_for_level_base = 4 * options.target_file_size_base;
    options.level_compaction_dynamic_level_bytes = true;
    options.memtable_prefix_bloom_size_ratio = 0.1;
    options.memtable_whole_key_filtering = true;
    options.compression = rocksdb::kNoCompression;
    options.bottommost_compression = rocksdb::kLZ4Compression;
    options.max_background_jobs = 2;
    options.max_open_files = 512;
    rocksdb::DB* db = nullptr;
    require(rocksdb::DB::Open(options, path_, &db));
    db_.reset(db);
    writes_.disableWAL = true;
  }
  ~bare_rocksdb() {
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  /// Each key once: a count of 1, in the order of the rows, as a restore writes them.
  void load(std::int64_t keys) {
    std::vector<row_key> all;
    for (std::int64_t key = 0; key < keys; ++key) all.push_back(row_key_of(key));
    std::sort(all.begin(), all.end());
    constexpr std::int64_t count = 1;
    rocksdb::WriteBatch batch;
    for (const auto& key : all) {
      require(batch.Put(slice_of(key), slice_of(count)));
      if (batch.Count() < batch_rows) continue;
      require(db_->Write(writes_, &batch));
      batch.Clear();
    }
    require(db_->Write(writes_, &batch));
  }

  void process(std::span<const std::int64_t> rows) {
    for (const auto key : rows) {
      const auto bytes = row_key_of(key);
      const auto row = slice_of(bytes);
      std::int64_t count = 0;
      const auto s = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), row, &value_);
      if (s.ok())
        std::memcpy(&count, value_.data(), sizeof(count));
      else if (!s.IsNotFound())
        require(s);
      value_.Reset();
      ++count;
      require(db_->Put(writes_, row, slice_of(count)));
    }
  }

 private:
  /// Key group and key, as the backend's rows have them.
  using row_key = std::array<unsigned char, 2 + sizeof(std::int64_t)>;

  static row_key row_key_of(std::int64_t key) {
    row_key bytes;
    const auto group = key_group_of(key_hash(key), max_parallelism_default);
    bytes[0] = static_cast<unsigned char>(group >> 8);
    bytes[1] = static_cast<unsigned char>(group);
    std::memcpy(bytes.data() + 2, &key, sizeof(key));
    return bytes;
  }
  template <class Plain>
  static rocksdb::Slice slice_of(const Plain& value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }
  static void require(const rocksdb::Status& s) {
    if (!s.ok()) throw failure(errc::io, s.ToString());
  }

  std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions writes_;
  rocksdb::PinnableSlice value_;
};

bool compare_hashmap(std::uint64_t records, int rounds) {
  constexpr std::uint64_t keys = 1'000'000;
  const auto c = bench::compare(
      rounds,
      [&] {
        boost::unordered_flat_map<std::int64_t, std::int64_t> counts;
        for_each_batch(0, records, keys, [&](auto rows) {
          for (const auto key : rows) ++counts[key];
        });
      },
      [&] {
        hashmap_state_backend backend;
        counter counts(backend, block_rows);
        for_each_batch(0, records, keys, [&](auto rows) { counts.process(rows); });
      });
  constexpr double goal = 0.5;
  return bench::print("hashmap to bare flat map, 1,000,000 keys", c,
                      static_cast<double>(records) / 1e6, "M records", goal);
}

bool compare_cached(std::uint64_t records, int rounds) {
  constexpr std::uint64_t keys = 1'000'000;
  hashmap_state_backend in_memory;
  const auto on_disk = open_rocksdb(1ull << 30);
  counter hashmap_counts(in_memory, block_rows);
  counter rocksdb_counts(*on_disk, block_rows);
  const auto c = bench::compare(
      rounds,
      [&] { for_each_batch(0, records, keys, [&](auto rows) { hashmap_counts.process(rows); }); },
      [&] { for_each_batch(0, records, keys, [&](auto rows) { rocksdb_counts.process(rows); }); });
  constexpr double goal = 0.3;
  return bench::print("rocksdb, all cached, to hashmap", c, static_cast<double>(records) / 1e6,
                      "M records", goal);
}

bool compare_uncached(std::uint64_t records, int rounds) {
  // A line of the cache takes 64 bytes, and half the memory is for lines.
  constexpr std::uint64_t memory_bytes = 32ull << 20;
  constexpr std::uint64_t keys = 10 * (memory_bytes / 2) / 64;
  bare_rocksdb bare(memory_bytes);
  const auto ours = open_rocksdb(memory_bytes);
  counter counts(*ours, disk_block_rows);
  bare.load(keys);
  for_each_key(keys, [&](auto rows) { counts.process(rows); });
  std::uint64_t bare_at = keys, ours_at = keys;
  const auto c = bench::compare(
      rounds,
      [&] {
        for_each_batch(bare_at, records, keys, [&](auto rows) { bare.process(rows); });
        bare_at += records;
      },
      [&] {
        for_each_batch(ours_at, records, keys, [&](auto rows) { counts.process(rows); });
        ours_at += records;
      });
  constexpr double goal = 2;
  return bench::print("rocksdb, a tenth cached, to bare RocksDB", c,
                      static_cast<double>(records) / 1e3, "k records", goal);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::string_view only = argc > 3 ? argv[3] : "";
  const auto is_asked = [only](std::string_view name) { return only.empty() || only == name; };
  bench::print_machine();
  bool good = true;
  if (is_asked("hashmap")) good = compare_hashmap(records, rounds) && good;
  if (is_asked("cached")) good = compare_cached(records, rounds) && good;
  if (is_asked("uncached")) good = compare_uncached(records / 20, rounds) && good;
  return bench::exit_code(good);
}
