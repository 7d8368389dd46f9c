#include "millrace/state/snapshot_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace millrace {

namespace {

constexpr std::size_t mapped_bytes = std::size_t{2} << 20;
static_assert(mapped_bytes % snapshot_memory::piece_bytes == 0);

/// Parts that no snapshot needs at the moment: as many as were in use at once in the last two
/// times of use, which end when none is. So what a large savepoint took is not kept for ever.
class spare_parts {
 public:
  std::byte* take() {
    {
      std::lock_guard lock(mutex_);
      most_in_use_ = std::max(most_in_use_, ++in_use_);
      if (!all_.empty()) {
        auto* const last = all_.back();
        all_.pop_back();
        return last;
      }
    }
    void* const made =
        ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made != MAP_FAILED) return static_cast<std::byte*>(made);
    std::lock_guard lock(mutex_);
    --in_use_;
    throw std::bad_alloc();
  }
  void give(std::byte* part) noexcept {
    const bool can_be_kept = ::madvise(part, mapped_bytes, MADV_FREE) == 0;
    std::lock_guard lock(mutex_);
    --in_use_;
    if (!can_be_kept || !keep(part)) ::munmap(part, mapped_bytes);
    if (in_use_ > 0) return;
    const auto wanted = std::max(most_in_use_, most_before_);
    most_before_ = std::exchange(most_in_use_, 0);
    for (; all_.size() > wanted; all_.pop_back()) ::munmap(all_.back(), mapped_bytes);
  }

 private:
  bool keep(std::byte* part) noexcept {
    try {
      all_.push_back(part);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  std::mutex mutex_;
  std::vector<std::byte*> all_;
  std::size_t in_use_ = 0;
  std::size_t most_in_use_ = 0;
  std::size_t most_before_ = 0;
};

spare_parts& spares() {
  static auto* const all = new spare_parts;  // used until the last thread ends
  return *all;
}

}  // namespace

snapshot_memory::piece snapshot_memory::allocate() {
  if (mapped_ == nullptr) {
    mapped_ =
        std::shared_ptr<std::byte>(spares().take(), [](std::byte* part) { spares().give(part); });
    used_ = 0;
  }
  piece next{mapped_, mapped_.get() + used_};
  used_ += piece_bytes;
  if (used_ == mapped_bytes) mapped_.reset();
  return next;
}

}  // namespace millrace
