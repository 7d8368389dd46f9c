#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/stream/operator.hpp"
#include "sim/rows.hpp"

namespace millrace::sim {

/// What the sinks of a job have committed, by checkpoint and subtask. Outlives all processes, as a
/// database would. A transaction may be committed again, by a restarted sink or by a zombie, but
/// with the same rows only.
struct committed_rows {
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::vector<row>> transactions;
  bool is_ambiguous = false;

  void commit(std::uint64_t checkpoint, std::uint32_t subtask, const std::vector<row>& its);
  /// In no order.
  std::vector<row> rows() const;
};

/// Gathers rows and commits them when the checkpoint that they belong to is complete (two-phase
/// commit: its state is the prepared transaction). Emits nothing.
operator_factory_ptr make_transactional_sink(std::shared_ptr<committed_rows> target);

}  // namespace millrace::sim
