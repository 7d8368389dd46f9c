#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <string_view>

#include "millrace/state/database_image.hpp"

// For sources of this folder only: it brings RocksDB's headers along.

namespace millrace {

/// Where an image is for who reads it by rocksdb_image_env.
inline constexpr std::string_view rocksdb_image_path = "/millrace-image";

/// An environment of RocksDB in which there is nothing but the files of an image, to be read.
std::unique_ptr<rocksdb::Env> rocksdb_image_env(std::shared_ptr<const database_files> from);

/// A log that keeps nothing: a database that is only read has no place for one.
std::shared_ptr<rocksdb::Logger> rocksdb_silent_log();

}  // namespace millrace
