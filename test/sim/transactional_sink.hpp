#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "millrace/stream/operator.hpp"
#include "sim/rows.hpp"

namespace millrace::sim {

/// What the sinks of a job have committed, by checkpoint and subtask. Outlives all processes, as a
/// database would. A transaction may be committed again, by a restarted sink or by a zombie, but
/// with the same rows only. Those that were prepared and not committed are there until an attempt
/// gives up what earlier ones have left, as hidden parts of file sinks are; what is then to be
/// committed, all the same, is lost.
struct committed_rows {
  struct prepared_id {
    std::uint32_t subtask = 0;
    std::uint32_t attempt = 0;
    std::uint64_t checkpoint = 0;

    auto operator<=>(const prepared_id&) const = default;
  };

  std::map<std::pair<std::uint64_t, std::uint32_t>, std::vector<row>> transactions;
  std::set<prepared_id> prepared;
  bool is_ambiguous = false;
  bool has_lost = false;

  void commit(const prepared_id& which, const std::vector<row>& its);
  /// All that attempts of the subtask before this one have prepared and not committed.
  void give_up_before(std::uint32_t subtask, std::uint32_t attempt);
  /// In no order.
  std::vector<row> rows() const;
};

/// Gathers rows and commits them when the checkpoint that they belong to is complete (two-phase
/// commit: its state is the prepared transaction). Emits nothing.
operator_factory_ptr make_transactional_sink(std::shared_ptr<committed_rows> target);

}  // namespace millrace::sim
