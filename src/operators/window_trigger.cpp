#include "millrace/operators/window_trigger.hpp"

namespace millrace {

void throw_record_without_timestamp() {
  throw failure(errc::invalid_data,
                "a record without a timestamp came to windows of event time: call "
                "assign_timestamps_and_watermarks on the stream, or use windows of processing "
                "time");
}

void throw_unplaceable_timestamp(timestamp_ms at) {
  if (at == no_timestamp) throw_record_without_timestamp();
  throw failure(errc::invalid_data,
                "a record has the timestamp " + std::to_string(at) +
                    ", which is no time in milliseconds since 1970 that windows and joins can "
                    "place: look at what assigns the timestamps");
}

}  // namespace millrace
