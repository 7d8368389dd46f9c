#include "millrace/state/rocksdb_log_replay.hpp"

#include <rocksdb/db.h>
#include <rocksdb/memtablerep.h>

#include <memory>
#include <vector>

namespace millrace {

rocksdb::Status replay_rocksdb_log(const rocksdb_resources& all, const std::string& path) {
  auto options = all.database_options();
  options.allow_concurrent_memtable_write = false;  // a vector can't have that
  auto of_family = all.column_family_options();
  of_family.memtable_factory = std::make_shared<rocksdb::VectorRepFactory>();
  of_family.memtable_prefix_bloom_size_ratio = 0;
  of_family.memtable_insert_with_hint_prefix_extractor.reset();
  of_family.disable_auto_compactions = true;
  // One file of all that a log may have: many would hold up the first writes.
  of_family.write_buffer_size = 256u << 20;

  std::vector<std::string> names;
  if (auto s = rocksdb::DB::ListColumnFamilies(options, path, &names); !s.ok()) return s;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, of_family);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  if (auto s = rocksdb::DB::Open(options, path, families, &handles, &opened); !s.ok()) return s;
  const std::unique_ptr<rocksdb::DB> db(opened);
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return db->Close();
}

}  // namespace millrace
