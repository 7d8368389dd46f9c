#include "millrace/state/rocksdb_state_backend.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/state/object_cache.hpp"

namespace millrace {

namespace {

rocksdb::Slice slice_of(byte_view bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
byte_view view_of(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.data()), slice.size()};
}

/// The task can't go on without its state.
void check(const rocksdb::Status& s, const char* what, const std::string& path) {
  if (s.ok()) [[likely]]
    return;
  throw failure(errc::io, std::string("can't ") + what + " the state in '" + path +
                              "': " + s.ToString() +
                              "; check the disk of 'io.tmp.dirs' for space and errors");
}

void remove_all(const std::string& path) noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

/// Part of a directory's name: what may be in a file's name of an operator's uid.
std::string as_file_name(const std::string& text) {
  constexpr std::size_t longest = 64;
  std::string name = text.substr(0, longest);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  return name;
}

}  // namespace

/// What all stores of a backend have in common.
struct rocksdb_state_backend::shared {
  shared(std::string where, std::uint64_t memory_bytes, double object_share)
      : directory(std::move(where)),
        object_bytes(static_cast<std::size_t>(static_cast<double>(memory_bytes) * object_share)),
        blocks(rocksdb::NewLRUCache(memory_bytes - object_bytes)),
        memtables(std::make_shared<rocksdb::WriteBufferManager>((memory_bytes - object_bytes) / 2,
                                                                blocks)) {}
  ~shared() { remove_all(directory); }

  rocksdb::ColumnFamilyOptions column_family_options() const {
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
    blocks_of_table.data_block_index_type =
        rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
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

  const std::string directory;
  const std::size_t object_bytes;
  const std::shared_ptr<rocksdb::Cache> blocks;
  const std::shared_ptr<rocksdb::WriteBufferManager> memtables;
  std::atomic<std::uint32_t> open_stores{0};
  std::atomic<std::uint64_t> stores_made{0};
};

class rocksdb_state_backend::batch final : public byte_batch {
 public:
  explicit batch(rocksdb::ColumnFamilyHandle* family) : family_(family) {}

  void put(byte_view key, byte_view value) override {
    changes_.Put(family_, slice_of(key), slice_of(value));
  }
  void erase(byte_view key) override { changes_.Delete(family_, slice_of(key)); }
  std::size_t size() const noexcept override { return changes_.Count(); }
  rocksdb::WriteBatch& changes() noexcept { return changes_; }

 private:
  rocksdb::ColumnFamilyHandle* family_;
  rocksdb::WriteBatch changes_;
};

class rocksdb_state_backend::cursor final : public byte_cursor {
 public:
  cursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, byte_view prefix,
         const std::string& path)
      : prefix_(slice_of(prefix).ToString()), path_(path) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    rows_.reset(db.NewIterator(options, family));
    rows_->Seek(prefix_);
  }

  bool is_valid() const override {
    if (rows_->Valid()) return rows_->key().starts_with(prefix_);
    check(rows_->status(), "read", path_);
    return false;
  }
  void next() override { rows_->Next(); }
  byte_view key() const override { return view_of(rows_->key()); }
  byte_view value() const override { return view_of(rows_->value()); }

 private:
  std::string prefix_;
  const std::string& path_;
  std::unique_ptr<rocksdb::Iterator> rows_;
};

/// Drops values when a compaction meets them after their time. Runs on RocksDB's threads.
class rocksdb_state_backend::ttl_filter final : public rocksdb::CompactionFilter {
 public:
  ttl_filter(std::int64_t ttl_ms, const clock& time) : ttl_ms_(ttl_ms), time_(time) {}

  const char* Name() const override { return "millrace.ttl"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    std::int64_t touched_ms = 0;
    if (value.size() < sizeof(touched_ms)) return false;
    codec<std::int64_t>::load(view_of(value).data(), touched_ms);
    const auto now_ms = time_.wall_ms();
    return now_ms > touched_ms && now_ms - touched_ms >= ttl_ms_;
  }

 private:
  std::int64_t ttl_ms_;
  const clock& time_;
};

class rocksdb_state_backend::table final : public byte_table {
 public:
  table(rocksdb::DB& db, const std::string& path, const std::string& name,
        rocksdb::ColumnFamilyOptions options, std::unique_ptr<ttl_filter> filter)
      : db_(db), path_(path), filter_(std::move(filter)) {
    options.compaction_filter = filter_.get();
    check(db_.CreateColumnFamily(options, name, &family_), "create a table for", path_);
    writes_.disableWAL = true;
  }
  ~table() override { db_.DestroyColumnFamilyHandle(family_); }

  bool get(byte_view key, std::vector<std::byte>& value) override {
    read_.Reset();
    const auto s = db_.Get(reads_, family_, slice_of(key), &read_);
    if (s.IsNotFound()) return false;
    check(s, "read", path_);
    const auto bytes = view_of(read_);
    value.assign(bytes.begin(), bytes.end());
    return true;
  }

  void get_many(std::span<const byte_view> keys,
                const std::function<void(std::size_t, byte_view)>& found) override {
    slices_.clear();
    for (const auto key : keys) slices_.push_back(slice_of(key));
    values_.resize(std::max(values_.size(), keys.size()));
    statuses_.resize(std::max(statuses_.size(), keys.size()));
    constexpr bool is_sorted = true;
    db_.MultiGet(reads_, family_, keys.size(), slices_.data(), values_.data(), statuses_.data(),
                 is_sorted);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!statuses_[i].IsNotFound()) {
        check(statuses_[i], "read", path_);
        found(i, view_of(values_[i]));
      }
      values_[i].Reset();
    }
  }

  std::unique_ptr<byte_cursor> scan(byte_view prefix) override {
    return std::make_unique<cursor>(db_, family_, prefix, path_);
  }
  std::unique_ptr<byte_batch> new_batch() override { return std::make_unique<batch>(family_); }
  void write(byte_batch& changes) override {
    auto& batch_of_ours = static_cast<batch&>(changes).changes();
    check(db_.Write(writes_, &batch_of_ours), "write", path_);
    batch_of_ours.Clear();
  }

 private:
  rocksdb::DB& db_;
  const std::string& path_;
  std::unique_ptr<ttl_filter> filter_;
  rocksdb::ColumnFamilyHandle* family_ = nullptr;
  rocksdb::ReadOptions reads_;
  rocksdb::WriteOptions writes_;
  rocksdb::PinnableSlice read_;
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

class rocksdb_state_backend::store final : public byte_store {
 public:
  store(std::shared_ptr<shared> all, std::string path, const clock& time,
        std::unique_ptr<rocksdb::DB> db)
      : shared_(std::move(all)), path_(std::move(path)), time_(time), db_(std::move(db)) {
    ++shared_->open_stores;
  }
  ~store() override {
    tables_.clear();
    // Nothing is to be kept, so memtables need no flush.
    rocksdb::CancelAllBackgroundWork(db_.get(), false);
    db_->Close();
    db_.reset();
    remove_all(path_);
    --shared_->open_stores;
  }

  byte_table& table(const std::string& name, std::optional<std::int64_t> ttl_ms) override {
    auto& found = tables_[name];
    if (found == nullptr)
      found = std::make_unique<rocksdb_state_backend::table>(
          *db_, path_, name, shared_->column_family_options(),
          ttl_ms ? std::make_unique<ttl_filter>(*ttl_ms, time_) : nullptr);
    return *found;
  }
  std::size_t object_cache_bytes() const noexcept override {
    return shared_->object_bytes / std::max(1u, shared_->open_stores.load());
  }

 private:
  std::shared_ptr<shared> shared_;
  std::string path_;
  const clock& time_;
  std::unique_ptr<rocksdb::DB> db_;
  std::map<std::string, std::unique_ptr<rocksdb_state_backend::table>> tables_;
};

rocksdb_state_backend::rocksdb_state_backend(std::shared_ptr<shared> all)
    : shared_(std::move(all)) {}
rocksdb_state_backend::~rocksdb_state_backend() = default;

const std::string& rocksdb_state_backend::directory() const noexcept {
  return shared_->directory;
}

result<std::unique_ptr<rocksdb_state_backend>> rocksdb_state_backend::open(
    const rocksdb_options& options) {
  std::error_code failed;
  std::filesystem::create_directories(options.directory, failed);  // mkdtemp says what is wrong
  std::string name = options.directory + "/millrace-state-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return fail(errno == EACCES ? errc::permission_denied : errc::io,
                "can't create a directory for state in '" + options.directory +
                    "': " + std::generic_category().message(errno) + "; set 'io.tmp.dirs'");
  return std::unique_ptr<rocksdb_state_backend>(new rocksdb_state_backend(
      std::make_shared<shared>(name, options.memory_bytes, options.object_share)));
}

result<std::unique_ptr<byte_store>> rocksdb_state_backend::open_store(
    const keyed_state_environment& who) {
  const auto path = shared_->directory + "/" + as_file_name(who.operator_uid) + "-" +
                    std::to_string(who.subtask_index) + "-" +
                    std::to_string(shared_->stores_made++);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.write_buffer_manager = shared_->memtables;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.keep_log_file_num = 1;
  options.info_log_level = rocksdb::InfoLogLevel::HEADER_LEVEL;
  options.avoid_flush_during_shutdown = true;
  rocksdb::DB* db = nullptr;
  if (const auto s = rocksdb::DB::Open(options, path, &db); !s.ok())
    return fail(errc::io, "can't open a state database for operator '" + who.operator_name +
                              "' in '" + path + "': " + s.ToString() +
                              "; check the disk of 'io.tmp.dirs' for space and permissions");
  return std::make_unique<store>(shared_, path, *who.time, std::unique_ptr<rocksdb::DB>(db));
}

}  // namespace millrace
