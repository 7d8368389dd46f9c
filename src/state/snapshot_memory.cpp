#include "millrace/state/snapshot_memory.hpp"

#include <sys/mman.h>

#include <mutex>
#include <new>
#include <vector>

namespace millrace {

namespace {

constexpr std::size_t mapped_bytes = std::size_t{2} << 20;

/// The parts that no snapshot needs at the moment.
class spare_parts {
 public:
  std::byte* take() {
    {
      std::lock_guard lock(mutex_);
      if (!all_.empty()) {
        auto* const last = all_.back();
        all_.pop_back();
        return last;
      }
    }
    void* const made =
        ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(made);
  }
  void give(std::byte* part) noexcept {
    ::madvise(part, mapped_bytes, MADV_FREE);
    try {
      std::lock_guard lock(mutex_);
      all_.push_back(part);
    } catch (const std::bad_alloc&) {
      ::munmap(part, mapped_bytes);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::byte*> all_;
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
