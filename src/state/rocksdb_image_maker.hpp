#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/state/database_image.hpp"
#include "millrace/state/rocksdb_change_log.hpp"
#include "millrace/state/rocksdb_resources.hpp"

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// Makes the images of one database. Most are the files of an earlier one, the *base*, and a log of
/// what has changed since: making the files of the database such that they have everything takes a
/// flush, and what flushes bring must be merged and stored again. So a new base is made only when
/// the log of the last one has grown to a part of it. Used from one thread at a time.
class rocksdb_image_maker {
 public:
  /// `path` is the database's, for messages; `database` the number of it that its images have.
  rocksdb_image_maker(std::shared_ptr<rocksdb_resources> all, std::string path,
                      std::uint64_t database);

  /// The database is about to be opened with the files of an image, which is the base then.
  void keep(const database_image& image);
  /// It is open now. What it has is what the image had.
  void opened(rocksdb::DB& db);

  /// What was written to the database, and the sequence number of the first change.
  void written(const rocksdb::WriteBatch& changes, rocksdb::SequenceNumber first);
  /// There is a new column family, of which the base knows nothing.
  void family_created() { forget_base(); }

  /// The database as of now. Throws `failure(io)`.
  std::shared_ptr<database_image> make(rocksdb::DB& db);

 private:
  void make_base(rocksdb::DB& db);
  /// Logs what comes after the image, as far as it pays; then it is the base.
  void begin(rocksdb::DB& db, std::shared_ptr<database_image> base);
  void forget_base() noexcept;
  std::string new_directory() const;
  /// The files of `base` and of the log in a directory of their own.
  result<std::shared_ptr<database_image>> linked(const database_image& base) const;

  std::shared_ptr<rocksdb_resources> all_;
  std::string path_;
  std::uint64_t database_;
  // The files of a base that is of no use any more would take the disk of what was merged since, so
  // there is one only as long as the log has everything.
  std::shared_ptr<database_image> base_;
  rocksdb_change_log log_;  // since the base
};

}  // namespace millrace
