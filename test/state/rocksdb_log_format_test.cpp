#include "millrace/state/rocksdb_log_format.hpp"

#include <doctest/doctest.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <span>
#include <string>

#include "millrace/core/file_system.hpp"
#include "support/temporary_directory.hpp"

namespace rocksdb_log_format_test {

using namespace millrace;
using millrace::test::temporary_directory;

namespace {

constexpr std::size_t block_bytes = 32768;
constexpr std::size_t header_bytes = 7;

/// A batch of exactly so many bytes that puts one value, with its sequence number.
std::string batch_of(std::size_t bytes, const std::string& key, char content, char sequence) {
  rocksdb::WriteBatch batch;
  batch.Put(key, std::string(bytes - 100, content));
  const auto overhead = batch.Data().size() - (bytes - 100);
  batch.Clear();
  batch.Put(key, std::string(bytes - overhead, content));
  auto data = batch.Data();
  REQUIRE(data.size() == bytes);
  data[0] = sequence;
  return data;
}

std::unique_ptr<rocksdb::DB> open(const std::string& path) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::Open(options, path, &db);
  REQUIRE_MESSAGE(s.ok(), s.ToString());
  return std::unique_ptr<rocksdb::DB>(db);
}

}  // namespace

TEST_CASE("RocksDB reads records wherever they end in a block") {
  for (std::size_t left = 0; left <= header_bytes + 1; ++left) {
    CAPTURE(left);
    const temporary_directory directory;
    const auto path = directory.path("db");
    open(path).reset();
    // The last block but one has so many bytes left behind the first record.
    const auto first = batch_of(2 * (block_bytes - header_bytes) - left, "a", '1', 1);
    const auto second = batch_of(300, "b", '2', 2);
    const auto third = batch_of(3 * block_bytes, "c", '3', 3);
    rocksdb_log_format format;
    byte_writer out;
    for (const auto& record : {first, second, third}) format.append(record, out);
    REQUIRE(local_file_system()
                .open_writer(path + "/999999.log", write_mode::create)
                .value()
                ->append(out.bytes()));
    const auto db = open(path);
    std::string value;
    REQUIRE(db->Get({}, "a", &value).ok());
    CHECK(value.find_first_not_of('1') == std::string::npos);
    REQUIRE(db->Get({}, "b", &value).ok());
    CHECK(value.find_first_not_of('2') == std::string::npos);
    REQUIRE(db->Get({}, "c", &value).ok());
    CHECK(value.find_first_not_of('3') == std::string::npos);
    CHECK(db->GetLatestSequenceNumber() == 3);
  }
}

}  // namespace rocksdb_log_format_test
