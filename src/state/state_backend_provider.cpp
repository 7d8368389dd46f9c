#include "millrace/state/state_backend_provider.hpp"

#include <mutex>
#include <utility>

#include "millrace/core/options.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"

namespace millrace {

namespace {

class configured_backends {
 public:
  explicit configured_backends(const configuration& config)
      : rocksdb_options_{.directory = config.get(options::io_tmp_dirs),
                         .memory_bytes = config.get(options::rocksdb_memory).bytes} {}

  result<std::shared_ptr<state_backend>> get(std::string_view type) {
    if (type == "hashmap") return hashmap_;
    const std::lock_guard lock(mutex_);
    if (rocksdb_ == nullptr) {
      auto made = rocksdb_state_backend::open(rocksdb_options_);
      if (!made) return tl::unexpected(made.error());
      rocksdb_ = std::move(*made);
    }
    return rocksdb_;
  }

 private:
  const rocksdb_options rocksdb_options_;
  const std::shared_ptr<state_backend> hashmap_ = std::make_shared<hashmap_state_backend>();
  std::mutex mutex_;
  std::shared_ptr<state_backend> rocksdb_;
};

}  // namespace

state_backend_provider make_state_backend_provider(const configuration& config) {
  return [all = std::make_shared<configured_backends>(config)](std::string_view type) {
    return all->get(type);
  };
}

}  // namespace millrace
