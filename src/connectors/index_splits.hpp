#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/operators/rate_limit.hpp"
#include "millrace/source/source.hpp"

namespace millrace {

/// Records with the indices first, first + stride, first + 2 * stride, … (modulo 2^64).
struct index_split {
  /// The `count` of a split that never ends.
  static constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t first = 0;        ///< Index of the first record.
  std::uint64_t stride = 1;       ///< From one index to the next.
  std::uint64_t count = endless;  ///< How many they are.
  std::uint64_t done = 0;         ///< How many of them were emitted.

  /// `<first>+<stride>`: unlike for any other split of a source.
  std::string id() const { return std::to_string(first) + "+" + std::to_string(stride); }
};

/// Goes through the index_splits of one reader: if there are several, one after the other where
/// they are ranges, else by turns, so that their records stay close to the order of the indices.
class index_cursor {
 public:
  /// `per_second` is the rate of all splits of the source together; nothing: as fast as possible.
  explicit index_cursor(std::optional<double> per_second) : per_second_(per_second) {}

  /// Indices to make records of now: `count` from `first` on.
  struct run {
    std::string split;         ///< Id of the split they are of.
    std::uint64_t first = 0;   ///< The first index.
    std::uint64_t stride = 1;  ///< From one index to the next.
    std::uint64_t count = 0;   ///< How many.
  };
  /// The next indices, at most `room`; none now if nothing, then status() says what to expect, and
  /// wakes `context` if the rate asks for that.
  std::optional<run> next(reader_context& context, std::uint64_t room);
  /// The records of that run were made. True if its split has ended.
  bool advance(reader_context& context, const run& made);
  /// What poll() of the reader is to return while there are no indices: `finished` if no split is
  /// left and none comes, else `idle`.
  poll_status status() const noexcept;

  /// Splits to go through, which go on where they are. This reader's part of the rate begins
  /// anew.
  void add(reader_context& context, std::vector<index_split> splits);
  /// No splits come any more.
  void no_more() noexcept { no_more_ = true; }
  /// Those that are left, with how far they are: what a snapshot keeps.
  const std::vector<index_split>& splits() const noexcept { return splits_; }
  /// In records, over all splits that were added; a total of 0 if they are endless.
  source_progress progress() const noexcept { return {done_, total_}; }

 private:
  void set_rate(reader_context& context);

  std::optional<double> per_second_;
  std::optional<rate_limit> rate_;
  std::vector<index_split> splits_;
  std::size_t turn_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;  // 0 if unbounded
  bool no_more_ = false;
};

/// What an indexed_source reads.
struct indices_description {
  /// The splits for so many readers, the nth for subtask n. What they make together must not depend
  /// on the number.
  std::function<std::vector<index_split>(std::uint32_t parallelism)> splits;
  boundedness ends = boundedness::bounded;  ///< Whether the splits end.
  bool is_parallel = true;                  ///< False for a single reader.
  /// Records in a second over all readers; nothing: as fast as possible.
  std::optional<double> per_second = {};
};

/// Deals the splits out; with those of `snapshot` if there is one.
std::unique_ptr<split_enumerator_base> make_index_enumerator(enumerator_context& context,
                                                             const indices_description& how,
                                                             std::optional<byte_view> snapshot);

}  // namespace millrace
