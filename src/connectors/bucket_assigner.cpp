#include "millrace/connectors/bucket_assigner.hpp"

#include <array>
#include <ctime>

#include "millrace/core/error.hpp"

namespace millrace {

date_time_buckets::date_time_buckets(std::string format, bucket_time time,
                                     std::chrono::minutes offset)
    : format_(std::move(format)), time_(time), offset_(offset) {
  show(0);
  if (shown_.empty() || shown_.front() == '/' || shown_.front() == '.')
    throw failure(errc::invalid_argument,
                  "the format '" + format_ +
                      "' makes no bucket of a time: it must yield a relative path, such as "
                      "\"%Y-%m-%d--%H\"");
}

void date_time_buckets::show(timestamp_ms when) {
  if (when == no_timestamp)
    throw failure(errc::invalid_data,
                  "a record without a timestamp can't be put into a bucket by event time: assign "
                  "timestamps before the sink, or use bucket_time::processing_time");
  auto second = when / 1000;
  if (when % 1000 < 0) --second;
  const auto local = static_cast<std::time_t>(second + offset_.count() / 1000);
  std::tm parts{};
  std::array<char, 256> text{};
  if (::gmtime_r(&local, &parts) == nullptr)
    throw failure(errc::invalid_data,
                  "no bucket can be made of the time " + format_timestamp(when));
  shown_.assign(text.data(), std::strftime(text.data(), text.size(), format_.c_str(), &parts));
  shown_from_ms_ = second * 1000;
}

}  // namespace millrace
