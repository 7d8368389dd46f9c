#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/operators/sort_record.hpp"

namespace millrace {

/// Records in memory, encoded, and an index of their keys' first bytes that is sorted in their
/// place (Flink's NormalizedKeySorter). Sorting is stable. Belongs to one thread at a time.
class sort_buffer {
 public:
  explicit sort_buffer(std::size_t bytes_max);

  void add(const sort_record& record);
  void sort();
  void clear() noexcept;

  /// Whether it holds as much as it should; it takes more all the same.
  bool is_full() const noexcept { return !is_empty() && bytes() >= bytes_max_; }
  bool is_empty() const noexcept { return index_.empty(); }
  std::size_t size() const noexcept { return index_.size(); }
  /// Of records and index.
  std::size_t bytes() const noexcept { return record_bytes_ + index_.size() * sizeof(entry); }
  /// In the order of insertion, or of the keys after sort(). Valid until the next add or clear.
  sort_record operator[](std::size_t i) const noexcept { return record_at(index_[i]); }

 private:
  struct entry {
    std::uint64_t prefix;
    std::uint32_t segment;
    std::uint32_t offset;
  };

  sort_record record_at(const entry& where) const noexcept;

  std::size_t bytes_max_;
  std::size_t segment_bytes_;
  std::size_t record_bytes_ = 0;
  std::vector<byte_writer> segments_;
  std::vector<entry> index_;
};

}  // namespace millrace
