#include "millrace/stream/batch.hpp"

namespace millrace {

void encoded_batch::encode_rows(byte_writer& out) const {
  out.put_bytes(bytes_.data(), bytes_.size());
}

}  // namespace millrace
