#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "millrace/core/io.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/rocksdb_image_maker.hpp"
#include "millrace/state/rocksdb_resources.hpp"
#include "millrace/state/rocksdb_ttl_filter.hpp"

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// Tables in a RocksDB database, a column family each. Used from one thread at a time.
class rocksdb_store final : public byte_store {
 public:
  /// A new database, for which there must be nothing at `path`. `who` is for messages.
  static result<std::unique_ptr<rocksdb_store>> create(std::shared_ptr<rocksdb_resources> all,
                                                       const std::string& path, const clock& time,
                                                       const std::string& who);
  /// Goes on with the files of an image, where they are.
  static result<std::unique_ptr<rocksdb_store>> open(std::shared_ptr<rocksdb_resources> all,
                                                     std::shared_ptr<database_image> image,
                                                     const clock& time, const std::string& who);
  /// Reads files where they are, with a memory of its own; changes throw.
  static result<std::unique_ptr<rocksdb_store>> open_to_read(
      std::shared_ptr<const database_files> from);

  ~rocksdb_store() override;

  byte_table& table(const std::string& name, std::optional<std::int64_t> ttl_ms) override;
  std::size_t object_cache_bytes() const noexcept override;
  std::shared_ptr<database_image> freeze() override;

 private:
  class batch;
  class cursor;
  class table_of_family;
  struct family {
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    std::shared_ptr<rocksdb_ttl_filter> filter;
  };

  rocksdb_store(std::shared_ptr<rocksdb_resources> all, std::string path, const clock* time);
  /// Opens all families that there are.
  rocksdb::Status open_families(rocksdb::DBOptions options, bool is_read_only);
  rocksdb::ColumnFamilyOptions family_options(std::shared_ptr<rocksdb_ttl_filter>& filter) const;
  family& family_of(const std::string& name);

  std::shared_ptr<rocksdb_resources> all_;
  std::string path_;
  const clock* time_;                            // null if read only
  std::shared_ptr<database_image> image_;        // null unless it is of one
  std::unique_ptr<rocksdb_image_maker> images_;  // which come of it; null if read only
  std::unique_ptr<rocksdb::Env> env_;            // null for the system's
  std::unique_ptr<rocksdb::DB> db_;
  std::map<std::string, family> families_;  // by name of the table; without RocksDB's own
  rocksdb::ColumnFamilyHandle* default_family_ = nullptr;
  std::map<std::string, std::unique_ptr<table_of_family>> tables_;
};

}  // namespace millrace
