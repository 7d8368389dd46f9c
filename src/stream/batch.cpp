#include "millrace/stream/batch.hpp"

namespace millrace {

void encoded_batch::encode_rows(byte_writer& out) const {
  out.append(std::span<const std::byte>(bytes_));
}

}  // namespace millrace
