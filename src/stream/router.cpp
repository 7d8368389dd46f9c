#include "millrace/stream/router.hpp"

#include <string>

namespace millrace {

void throw_no_such_channel(std::int64_t channel, std::uint32_t channels) {
  throw failure(errc::user_function, "the custom partitioner chose channel " +
                                         std::to_string(channel) + ", but there are only " +
                                         std::to_string(channels) + " (0 to " +
                                         std::to_string(channels - 1) + ")");
}

}  // namespace millrace
