#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "millrace/state/rocksdb_state_backend.hpp"
#include "millrace/state/state_backend.hpp"
#include "support/memory_byte_store.hpp"

namespace millrace::test {

struct named_backend {
  std::string name;
  std::shared_ptr<state_backend> backend;
};

/// Its cache is small enough for evictions.
inline std::shared_ptr<state_backend> small_rocksdb() {
  auto made =
      rocksdb_state_backend::open({.directory = std::filesystem::temp_directory_path().string(),
                                   .memory_bytes = 16u << 20,
                                   .object_share = 0.0005});
  if (!made) throw failure(made.error());
  return std::move(*made);
}

/// Every backend that the tests of keyed state run on.
inline std::vector<named_backend> all_state_backends() {
  return {{"hashmap", std::make_shared<hashmap_state_backend>()},
          {"bytes, all of it cached", std::make_shared<memory_state_backend>(64u << 20)},
          {"bytes, little of it cached", std::make_shared<memory_state_backend>(8u << 10)},
          {"rocksdb", small_rocksdb()}};
}

}  // namespace millrace::test
