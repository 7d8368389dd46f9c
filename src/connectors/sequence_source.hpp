#pragma once

#include <cstdint>
#include <memory>

#include "millrace/source/source.hpp"

namespace millrace {

/// The numbers first..last, both included. Each subtask emits a contiguous part, in order (Flink's
/// NumberSequenceSource). Empty if last < first.
std::shared_ptr<const source_base<std::int64_t>> make_sequence(std::int64_t first,
                                                               std::int64_t last);

}  // namespace millrace
