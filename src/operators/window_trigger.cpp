#include "millrace/operators/window_trigger.hpp"

namespace millrace {

void throw_record_without_timestamp() {
  throw failure(errc::invalid_data,
                "a record without a timestamp came to windows of event time: call "
                "assign_timestamps_and_watermarks on the stream, or use windows of processing "
                "time");
}

}  // namespace millrace
