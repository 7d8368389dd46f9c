#pragma once

#include <rocksdb/status.h>

#include <string>

#include "millrace/core/error.hpp"

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// Throws `failure(io)` unless what was done with the database in `path` has worked: a task can't
/// go on without its state.
inline void check_rocksdb(const rocksdb::Status& s, const char* what, const std::string& path) {
  if (s.ok()) [[likely]]
    return;
  throw failure(errc::io, std::string("can't ") + what + " the state in '" + path +
                              "': " + s.ToString() +
                              "; check the disk of 'io.tmp.dirs' for space and errors");
}

}  // namespace millrace
