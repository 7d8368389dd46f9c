#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "millrace/checkpoint/job_copies.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// The copies as one task is restored from them, and how much of its state came from where. Safe to
/// use from any thread.
class local_restore {
 public:
  /// Null: from the originals only.
  explicit local_restore(std::shared_ptr<job_copies> copies = nullptr)
      : copies_(std::move(copies)) {}

  /// Where to read a file first. Nothing if there can be no copy, or it was found unusable.
  std::optional<std::string> copy_of(const std::string& original) const;
  file_system& disk() const noexcept { return copies_->disk(); }

  void count_copy(std::uint64_t bytes) noexcept { copy_bytes_ += bytes; }
  void count_original(std::uint64_t bytes) noexcept { original_bytes_ += bytes; }
  /// The copy is damaged or missing: it is not looked at again. Logged, unless it is missing.
  void pass_over(const std::string& original, const std::string& copy, const error& why);

  /// Bytes of state that came from copies, and from the originals.
  std::uint64_t copy_bytes() const noexcept { return copy_bytes_; }
  std::uint64_t original_bytes() const noexcept { return original_bytes_; }

 private:
  std::shared_ptr<job_copies> copies_;
  std::atomic<std::uint64_t> copy_bytes_{0};
  std::atomic<std::uint64_t> original_bytes_{0};
  mutable std::mutex mutex_;  // of what follows
  std::set<std::string> unusable_;
};

}  // namespace millrace
