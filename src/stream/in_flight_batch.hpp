#pragma once

#include <cstdint>
#include <vector>

#include "millrace/stream/batch.hpp"

namespace millrace {

/// The end of a channel at which a batch waited. Numbers are stored: do not renumber.
enum class channel_end : std::uint8_t {
  receiver = 0,  ///< It had come, or was to come, but was not processed.
  sender = 1,    ///< It waited for credit.
};

/// A batch that an unaligned checkpoint found on its way: emitted before the sender's snapshot, and
/// not processed before the receiver's. It is part of the snapshot of the task at whose end of the
/// channel it was (Flink's InputChannelStateHandle and ResultSubpartitionStateHandle).
///
/// Holds a reference, so that whoever processes the batch meanwhile does not change it.
struct in_flight_batch {
  channel_end at = channel_end::receiver;
  std::uint32_t channel = 0;  ///< Among the task's input or output channels.
  batch_ptr rows;
};

/// In the order of each channel.
using in_flight_batches = std::vector<in_flight_batch>;

}  // namespace millrace
