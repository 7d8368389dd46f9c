#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/state/state_backend.hpp"

namespace millrace {

struct rocksdb_resources;

struct rocksdb_options {
  /// An existing directory. Everything is kept in one of its own below, removed with the backend.
  std::string directory;
  /// What all stores of the backend take together.
  std::uint64_t memory_bytes = 512ull << 20;
  /// The part of it that is for cached objects; the rest is for RocksDB's blocks, indexes, filters
  /// and memtables.
  double object_share = 0.5;
};

/// State on disk in RocksDB, behind a cache of live objects: for state larger than memory.
///
/// A database per operator and subtask, a column family per state, all sharing one block cache and
/// one bound for memtables. No write-ahead log: what makes state durable are snapshots, as in
/// Flink. Reads block the task; flushes and compactions run on threads of RocksDB.
/// Native snapshots are hard links to the files of a database, and a log of what has changed since.
class rocksdb_state_backend final : public state_backend {
 public:
  /// Fails if the directory can't be written to.
  static result<std::unique_ptr<rocksdb_state_backend>> open(const rocksdb_options& options);
  ~rocksdb_state_backend() override;

  std::string_view type() const noexcept override { return "rocksdb"; }
  result<std::unique_ptr<byte_store>> open_store(const keyed_state_environment& who) override;

  result<std::shared_ptr<database_image>> bring(const database_files& from) override;
  result<std::unique_ptr<byte_store>> open_image(const keyed_state_environment& who,
                                                 std::shared_ptr<database_image> image) override;

  /// Where the databases are.
  const std::string& directory() const noexcept;

 private:
  explicit rocksdb_state_backend(std::shared_ptr<rocksdb_resources> all);

  std::shared_ptr<rocksdb_resources> all_;  // with the stores, which may live longer
};

/// The tables of an image of such a backend, to be read where its files are: for who has no such
/// backend, or other key groups. Blocks.
result<std::unique_ptr<byte_store>> open_database_files(std::shared_ptr<const database_files> from);

}  // namespace millrace
