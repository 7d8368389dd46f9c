#include "millrace/state/rocksdb_store.hpp"

#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "millrace/core/kill_point.hpp"
#include "millrace/state/object_cache.hpp"
#include "millrace/state/rocksdb_check.hpp"
#include "millrace/state/rocksdb_image_files.hpp"
#include "millrace/state/rocksdb_log_replay.hpp"

namespace millrace {

namespace {

/// Ahead of the name of a table, in that of its column family: RocksDB has one of its own. In files
/// of snapshots: do not change.
constexpr std::string_view family_prefix = "state:";
/// For the blocks of a database that is only read.
constexpr std::uint64_t reading_memory_bytes = 16u << 20;

rocksdb::Slice slice_of(byte_view bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
byte_view view_of(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.data()), slice.size()};
}

/// Whether files are no database, however often they are opened. What is not supported, or an
/// invalid argument, is so for this build of RocksDB only.
bool is_damage(const rocksdb::Status& s) {
  return s.IsCorruption() || s.IsNotFound() || s.IsPathNotFound();
}

/// Why a copy of a database can't be opened. Only if that which it is a copy of can't be either is
/// it no use to try again: what was copied is not what is on the local disk now if that, or who
/// cleans it up, has changed it.
error not_opened(const rocksdb::Status& s, const database_image& image, const std::string& who) {
  const auto what = "can't open the restored state database of operator '" + who + "' in '" +
                    image.directory() + "': " + s.ToString();
  constexpr auto look_at_disk = "check the disk of 'io.tmp.dirs' for space and errors";
  if (!is_damage(s) || !image.check_origin) return {errc::io, what + "; " + look_at_disk};
  const auto origin = image.check_origin();
  if (origin)
    return {errc::io, what + "; the checkpoint that it comes from is intact: " + look_at_disk};
  const auto code = origin.error().code;
  if (code != errc::invalid_data && code != errc::not_found)
    return {errc::io, what + "; the checkpoint that it comes from can't be read either: " +
                          origin.error().message};
  return {errc::invalid_data,
          what + "; the checkpoint that it comes from is damaged: " + origin.error().message};
}

/// RocksDB finds out if one of its files is gone or too short, but not if a log is.
rocksdb::Status check_files(const database_image& image) {
  for (const auto& [name, bytes] : image.files()) {
    std::error_code failed;
    const auto found = std::filesystem::file_size(image.directory() + "/" + name, failed);
    if (failed) return rocksdb::Status::PathNotFound("file '" + name + "'", failed.message());
    if (found != bytes)
      return rocksdb::Status::Corruption("file '" + name + "' has " + std::to_string(found) +
                                         " bytes instead of " + std::to_string(bytes));
  }
  return {};
}

void remove_all(const std::string& path) noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace

class rocksdb_store::batch final : public byte_batch {
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

class rocksdb_store::cursor final : public byte_cursor {
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
    check_rocksdb(rows_->status(), "read", path_);
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

class rocksdb_store::table_of_family final : public byte_table {
 public:
  table_of_family(rocksdb_store& of, rocksdb::ColumnFamilyHandle* family)
      : db_(*of.db_), path_(of.path_), images_(of.images_.get()), family_(family) {
    writes_.disableWAL = true;
  }

  bool get(byte_view key, std::vector<std::byte>& value) override {
    read_.Reset();
    const auto s = db_.Get(reads_, family_, slice_of(key), &read_);
    if (s.IsNotFound()) return false;
    check_rocksdb(s, "read", path_);
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
        check_rocksdb(statuses_[i], "read", path_);
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
    const auto first = db_.GetLatestSequenceNumber() + 1;
    check_rocksdb(db_.Write(writes_, &batch_of_ours), "write", path_);
    if (images_ != nullptr) images_->written(batch_of_ours, first);
    batch_of_ours.Clear();
  }

 private:
  rocksdb::DB& db_;
  const std::string& path_;
  rocksdb_image_maker* images_;  // null if read only
  rocksdb::ColumnFamilyHandle* family_;
  rocksdb::ReadOptions reads_;
  rocksdb::WriteOptions writes_;
  rocksdb::PinnableSlice read_;
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

// -- the store ------------------------------------------------------------------------------------

rocksdb_store::rocksdb_store(std::shared_ptr<rocksdb_resources> all, std::string path,
                             const clock* time)
    : all_(std::move(all)), path_(std::move(path)), time_(time) {
  ++all_->open_stores;
}

rocksdb_store::~rocksdb_store() {
  tables_.clear();
  if (db_ != nullptr) {
    for (auto& [name, its] : families_) db_->DestroyColumnFamilyHandle(its.handle);
    if (default_family_ != nullptr) db_->DestroyColumnFamilyHandle(default_family_);
    // Nothing is to be kept, so memtables need no flush.
    rocksdb::CancelAllBackgroundWork(db_.get(), false);
    db_->Close();
    db_.reset();
  }
  if (env_ == nullptr) remove_all(path_);
  --all_->open_stores;
}

result<std::unique_ptr<rocksdb_store>> rocksdb_store::create(std::shared_ptr<rocksdb_resources> all,
                                                             const std::string& path,
                                                             const clock& time,
                                                             const std::string& who) {
  std::unique_ptr<rocksdb_store> store(new rocksdb_store(std::move(all), path, &time));
  rocksdb::Options options(store->all_->database_options(), rocksdb::ColumnFamilyOptions());
  options.create_if_missing = true;
  options.error_if_exists = true;
  rocksdb::DB* db = nullptr;
  if (const auto s = rocksdb::DB::Open(options, path, &db); !s.ok())
    return fail(errc::io, "can't open a state database for operator '" + who + "' in '" + path +
                              "': " + s.ToString() +
                              "; check the disk of 'io.tmp.dirs' for space and permissions");
  store->db_.reset(db);
  store->images_ = std::make_unique<rocksdb_image_maker>(store->all_, store->path_,
                                                         store->all_->directories_made++);
  return store;
}

result<std::unique_ptr<rocksdb_store>> rocksdb_store::open(std::shared_ptr<rocksdb_resources> all,
                                                           std::shared_ptr<database_image> image,
                                                           const clock& time,
                                                           const std::string& who) {
  std::unique_ptr<rocksdb_store> store(
      new rocksdb_store(std::move(all), image->directory(), &time));
  store->image_ = std::move(image);
  store->images_ =
      std::make_unique<rocksdb_image_maker>(store->all_, store->path_, store->image_->database);
  auto s = check_files(*store->image_);
  if (s.ok()) {
    store->images_->keep(*store->image_);
    if (std::ranges::any_of(store->image_->files(), is_change_log)) {
      s = replay_rocksdb_log(*store->all_, store->path_);
      pass(kill_point::log_replayed);
    }
  }
  if (s.ok()) s = store->open_families(store->all_->database_options(), false);
  if (!s.ok()) return tl::unexpected(not_opened(s, *store->image_, who));
  store->images_->opened(*store->db_);
  store->image_->check_origin = nullptr;
  return store;
}

result<std::unique_ptr<rocksdb_store>> rocksdb_store::open_to_read(
    std::shared_ptr<const database_files> from) {
  auto all = std::make_shared<rocksdb_resources>(std::string(), reading_memory_bytes, 0.0);
  auto env = rocksdb_image_env(std::move(from));
  std::unique_ptr<rocksdb_store> store(
      new rocksdb_store(std::move(all), std::string(rocksdb_image_path), nullptr));
  store->env_ = std::move(env);
  auto options = store->all_->database_options();
  options.env = store->env_.get();
  options.info_log = rocksdb_silent_log();
  options.max_file_opening_threads = 1;  // who gives the files need not be ready for more
  // What a log has is in memory as long as they are open, and is not to take that of the blocks.
  options.write_buffer_manager = nullptr;
  if (const auto s = store->open_families(std::move(options), true); !s.ok())
    return fail(is_damage(s) ? errc::invalid_data : errc::io,
                "can't read a state database: " + s.ToString());
  return store;
}

rocksdb::Status rocksdb_store::open_families(rocksdb::DBOptions options, bool is_read_only) {
  std::vector<std::string> names;
  auto s = rocksdb::DB::ListColumnFamilies(options, path_, &names);
  if (!s.ok()) return s;
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  std::vector<std::shared_ptr<rocksdb_ttl_filter>> filters;
  for (const auto& name : names)
    wanted.emplace_back(name, name == rocksdb::kDefaultColumnFamilyName
                                  ? rocksdb::ColumnFamilyOptions()
                                  : family_options(filters.emplace_back()));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  s = is_read_only ? rocksdb::DB::OpenForReadOnly(options, path_, wanted, &handles, &db)
                   : rocksdb::DB::Open(options, path_, wanted, &handles, &db);
  if (!s.ok()) return s;
  db_.reset(db);
  std::size_t ours = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == rocksdb::kDefaultColumnFamilyName)
      default_family_ = handles[i];
    else
      families_[names[i].substr(std::min(names[i].size(), family_prefix.size()))] = {
          handles[i], filters[ours++]};
  }
  return s;
}

rocksdb::ColumnFamilyOptions rocksdb_store::family_options(
    std::shared_ptr<rocksdb_ttl_filter>& filter) const {
  auto options = all_->column_family_options();
  if (time_ == nullptr) return options;
  filter = std::make_shared<rocksdb_ttl_filter>(*time_);
  options.compaction_filter_factory = filter;
  return options;
}

rocksdb_store::family& rocksdb_store::family_of(const std::string& name) {
  const auto known = families_.find(name);
  if (known != families_.end()) return known->second;
  family made;
  const auto options = family_options(made.filter);
  check_rocksdb(db_->CreateColumnFamily(options, std::string(family_prefix) + name, &made.handle),
                "create a table for", path_);
  if (images_ != nullptr) images_->family_created();
  return families_[name] = std::move(made);
}

byte_table& rocksdb_store::table(const std::string& name, std::optional<std::int64_t> ttl_ms) {
  auto& its = family_of(name);
  if (ttl_ms && its.filter) its.filter->set_ttl(*ttl_ms);
  auto& found = tables_[name];
  if (found == nullptr) found = std::make_unique<table_of_family>(*this, its.handle);
  return *found;
}

std::size_t rocksdb_store::object_cache_bytes() const noexcept {
  return all_->object_bytes / std::max(1u, all_->open_stores.load());
}

std::shared_ptr<database_image> rocksdb_store::freeze() {
  return images_ != nullptr ? images_->make(*db_) : nullptr;
}

}  // namespace millrace
