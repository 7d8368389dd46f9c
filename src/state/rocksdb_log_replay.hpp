#pragma once

#include <rocksdb/status.h>

#include <string>

#include "millrace/state/rocksdb_resources.hpp"

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// Puts what is in the log beside the files of a database into a file of it, ahead of opening it.
/// RocksDB would do the same, but row by row into the skip list of a memtable, which takes three
/// times as long: here nobody reads meanwhile, so they are sorted in the end.
rocksdb::Status replay_rocksdb_log(const rocksdb_resources& all, const std::string& path);

}  // namespace millrace
