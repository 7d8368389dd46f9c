#include "millrace/stream/output.hpp"

namespace millrace {

void output::push_watermark(timestamp_ms at) {
  if (at <= watermark_) return;
  if (at == max_watermark) {
    if (!looped_.empty()) push_status(stream_status::active);
    watermark_ = at;
    for (auto* consumer : looped_) consumer->on_watermark(at);
    return;
  }
  if (status_ == stream_status::idle) return;
  watermark_ = at;
  for (auto* consumer : consumers_) consumer->on_watermark(at);
  for (auto* consumer : only_timed_) consumer->on_watermark(at);
}

void output::push_status(stream_status now) {
  // Behind the end of the data there is nothing to wait for.
  if (now == status_ || (watermark_ == max_watermark && looped_.empty())) return;
  status_ = now;
  for (auto* consumer : consumers_) consumer->on_status(now);
  for (auto* consumer : only_timed_) consumer->on_status(now);
}

}  // namespace millrace
