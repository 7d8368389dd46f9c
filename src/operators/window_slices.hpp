#pragma once

#include <cstdint>

#include "millrace/operators/time_window.hpp"

namespace millrace {

/// How windows of one size and slide are cut into slices that never straddle the edge of a window,
/// so that each window is a run of whole slices (Traub et al., "Scotty", 2018; Flink SQL's
/// SliceAssigners). Slices are as long as they can be: within each slide one window begins, at its
/// start, and one ends, size modulo slide later. So there is one slice a slide, or two if the slide
/// does not divide the size (the paired windows of Krishnamurthy, Wu, Franklin: "On-the-fly sharing
/// for streamed aggregation", SIGMOD 2006). Slices of equal length, the greatest common divisor of
/// size and slide, could be as many as there are milliseconds.
class slice_geometry {
 public:
  slice_geometry(std::int64_t size, std::int64_t slide, std::int64_t offset)
      : size_(size), slide_(slide), offset_(offset), first_length_(size % slide) {}

  std::int64_t size() const noexcept { return size_; }
  std::int64_t slide() const noexcept { return slide_; }

  /// Start of the slice that a time is in.
  timestamp_ms slice_start(timestamp_ms at) const noexcept {
    const auto start = window_start(at, offset_, slide_);
    return at - start < first_length_ ? start : start + first_length_;
  }
  /// End of the slice at `start`, which is where the next one begins.
  timestamp_ms slice_end(timestamp_ms start) const noexcept {
    const auto of_slide = window_start(start, offset_, slide_);
    return start - of_slide < first_length_ ? of_slide + first_length_ : of_slide + slide_;
  }
  /// End of the first window that has the slice at `start` in it. Beyond that of the last one if
  /// the slice lies in a gap between windows.
  timestamp_ms first_window_end(timestamp_ms start) const noexcept {
    return window_start(start - size_ + slide_, offset_, slide_) + size_;
  }
  /// End of the last window that has the slice at `start` in it.
  timestamp_ms last_window_end(timestamp_ms start) const noexcept {
    return window_start(start, offset_, slide_) + size_;
  }
  /// Whether windows, of which the slide may be above the size, leave the slice out.
  bool is_in_gap(timestamp_ms start) const noexcept { return start >= last_window_end(start); }
  /// End of the last window that is complete once event time has come to `at`.
  timestamp_ms last_end_until(timestamp_ms at) const noexcept {
    return window_start(at + 1 - size_, offset_, slide_) + size_;
  }

 private:
  std::int64_t size_;
  std::int64_t slide_;
  std::int64_t offset_;
  std::int64_t first_length_;  // of two slices in a slide, or 0 if there is one
};

}  // namespace millrace
