#include "millrace/state/make_state_backend.hpp"

#include <utility>

#include "millrace/core/options.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"

namespace millrace {

result<std::shared_ptr<state_backend>> make_state_backend(const configuration& config) {
  if (config.get(options::state_backend_type) == "hashmap")
    return std::make_shared<hashmap_state_backend>();
  return rocksdb_state_backend::open({.directory = config.get(options::io_tmp_dirs),
                                      .memory_bytes = config.get(options::rocksdb_memory).bytes})
      .map([](std::unique_ptr<rocksdb_state_backend> made) -> std::shared_ptr<state_backend> {
        return made;
      });
}

}  // namespace millrace
