#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/in_flight_batch.hpp"

// What an unaligned checkpoint keeps of batches that were on their way. Channels have the numbers
// that follow from the job graph, so this is only for a job of the same shape.

namespace millrace {

/// One batch, as it is stored.
struct stored_in_flight_batch {
  std::uint8_t at = 0;  ///< A channel_end.
  std::uint32_t channel = 0;
  std::uint64_t fingerprint = 0;  ///< Of the record type.
  std::uint64_t rows = 0;
  std::vector<std::byte> bytes;  ///< As batch::encode_rows says.
};

/// Throws what a user's codec throws.
std::vector<std::byte> encode_in_flight(const in_flight_batches& batches);
/// Batches whose rows are still bytes.
result<in_flight_batches> decode_in_flight(byte_view bytes);

/// Identifies how the tasks of a job are connected: chains by the uids of their operators, their
/// parallelism, and the exchanges between them. Equal in every process; do not change.
std::uint64_t shape_of(const graph::job_graph& job);

}  // namespace millrace
