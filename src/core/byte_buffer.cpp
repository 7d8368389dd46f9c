#include "millrace/core/byte_buffer.hpp"

#include <string>

namespace millrace {

status byte_reader::to_status() const {
  if (ok()) return {};
  return millrace::fail(errc::invalid_data, std::string("can't decode: ") + reason_ + " (at byte " +
                                                std::to_string(failed_at_) + " of " +
                                                std::to_string(size_) + ")");
}

}  // namespace millrace
