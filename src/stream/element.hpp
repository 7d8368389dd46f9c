#pragma once

#include <variant>

#include "millrace/stream/batch.hpp"

namespace millrace {

/// A batch of rows, and what the sender's flow control charged for it. The receiver returns exactly
/// this charge when it has processed the rows.
struct record_batch {
  batch_ptr rows;
  std::uint64_t charge = 0;
};

/// Nothing follows on this channel. An ordinary element, so it cannot overtake data.
struct end_of_input {};

/// What travels through a channel, in order. Elements are messages of the receiving task's mailbox;
/// control elements share the path of the data and are never charged.
using element = std::variant<record_batch, end_of_input>;

}  // namespace millrace
