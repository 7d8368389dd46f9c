#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "millrace/source/source.hpp"
#include "sim/rows.hpp"

// Sources of simulated jobs whose splits are handed out while the job runs, so that assignments
// come at any time, also around barriers.

namespace millrace::sim {

/// What an asking source has.
struct rows_in_splits {
  std::function<row(std::uint64_t index)> make;
  std::uint64_t rows = 0;
  std::uint64_t rows_per_split = 1;
  double per_second = 0;  ///< Of all readers; 0: as fast as possible.
};

/// Its readers ask for the next split when they begin with the last row of one.
std::shared_ptr<const source_base<row>> make_asking_source(rows_in_splits what);

}  // namespace millrace::sim
