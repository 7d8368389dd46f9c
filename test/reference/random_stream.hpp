#pragma once

#include <optional>
#include <utility>

#include "reference/random_numbers.hpp"
#include "reference/window_reference.hpp"

namespace millrace::test::reference {

/// How many events of a kind a stream had.
struct stream_shape {
  std::int64_t out_of_order = 0;
  std::int64_t at_the_same_time = 0;  ///< As the event before.
  std::int64_t bursts = 0;            ///< Ten or more events within a few milliseconds.
  std::int64_t pauses = 0;
  std::int64_t behind_watermark = 0;

  stream_shape& operator+=(const stream_shape& other) {
    out_of_order += other.out_of_order;
    at_the_same_time += other.at_the_same_time;
    bursts += other.bursts;
    pauses += other.pauses;
    behind_watermark += other.behind_watermark;
    return *this;
  }
};

/// Events with disorder, some of them at one time, in bursts and with pauses, of keys 1 to 5; and
/// watermarks between them that make some of them late. Values are 0, 1, 2, …
class random_stream {
 public:
  /// About `start`.
  random_stream(random_numbers& random, timestamp_ms start)
      : random_(random),
        time_(start + random.upto(-50, 50)),
        watermark_(time_ - 20),
        keys_(random.upto(1, 5)),
        left_(random.one_of(5) ? random.upto(60, 200) : random.upto(5, 60)),
        lag_(random.one_of(2) ? 2 : 20),
        last_(time_) {}

  bool has_next() const { return left_ > 0; }

  event next() {
    --left_;
    if (burst_ > 0) {
      --burst_;
      time_ += random_.one_of(4) ? 1 : 0;
    } else if (random_.one_of(40)) {
      burst_ = random_.upto(9, 25);
      ++shape_.bursts;
    } else if (random_.one_of(10)) {
      time_ += random_.upto(0, 40);
      ++shape_.pauses;
    } else {
      time_ += random_.upto(0, 4);
    }
    const event e{random_.upto(1, keys_), n_++, timestamp()};
    if (n_ > 1) {
      shape_.out_of_order += e.at < last_ ? 1 : 0;
      shape_.at_the_same_time += e.at == last_ ? 1 : 0;
    }
    shape_.behind_watermark += e.at <= watermark_ ? 1 : 0;
    last_ = e.at;
    return e;
  }

  /// Whether the event that was returned last is followed by a watermark.
  std::optional<timestamp_ms> next_watermark() {
    const auto next = time_ - random_.upto(0, lag_);
    if (!random_.one_of(5) || next <= watermark_) return std::nullopt;
    watermark_ = next;
    return next;
  }

  const stream_shape& shape() const { return shape_; }

 private:
  timestamp_ms timestamp() {
    if (random_.one_of(6)) return last_;
    return time_ - (random_.one_of(3) ? random_.upto(0, 60) : random_.upto(0, 5));
  }

  random_numbers& random_;
  timestamp_ms time_;
  timestamp_ms watermark_;
  std::int64_t keys_;
  std::int64_t left_;
  std::int64_t lag_;
  timestamp_ms last_;
  std::int64_t n_ = 0;
  std::int64_t burst_ = 0;
  stream_shape shape_;
};

}  // namespace millrace::test::reference
