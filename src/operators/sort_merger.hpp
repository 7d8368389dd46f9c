#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/operators/sort_buffer.hpp"
#include "millrace/operators/sort_run.hpp"

namespace millrace {

/// Merges runs, and a sorted buffer, into one order. Of equal records those of the source that was
/// added first come first. Blocks; one thread at a time.
class sort_merger {
 public:
  void add(run_reader run);
  /// The buffer must be sorted and stay.
  void add(const sort_buffer& buffer);

  /// Reads the first record of each source; then current() is valid.
  status start();
  bool is_at_end() const noexcept { return heap_.empty(); }
  /// Valid until advance().
  const sort_record& current() const noexcept { return sources_[heap_.front()].record; }
  status advance();

 private:
  struct source {
    std::optional<run_reader> run;
    const sort_buffer* buffer = nullptr;
    std::size_t next_in_buffer = 0;
    sort_record record;
    std::uint64_t prefix = 0;
  };

  result<bool> read(source& from);
  bool is_before(std::uint32_t a, std::uint32_t b) const noexcept;
  void sift_down(std::size_t at) noexcept;

  std::vector<source> sources_;
  std::vector<std::uint32_t>
      heap_;  // of indices into sources_, the one with the least record first
};

}  // namespace millrace
