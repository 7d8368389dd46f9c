#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "millrace/source/split_enumerator.hpp"
#include "millrace/state_processor/saved_state_query.hpp"

namespace millrace {

/// The snapshot of a saved_state_enumerator: splits that nobody has, once they are known.
using saved_state_enumeration = std::optional<std::vector<saved_state_split>>;

/// Looks up an operator in a snapshot and hands out its state, split by split, to whoever asks.
/// Fails the job if there is no such snapshot, operator or state. Which keyed states are read, only
/// the readers' function knows: each reader says so before it asks for a split, as an encoded set
/// of names, and nobody is given any before the first of these was looked up.
class saved_state_enumerator final
    : public split_enumerator<saved_state_split, saved_state_enumeration> {
 public:
  saved_state_enumerator(enumerator_context& context, saved_state_query query,
                         saved_state_enumeration state);

  void start() override;
  void add_reader(std::uint32_t subtask) override;
  void handle_split_request(std::uint32_t subtask) override;
  void handle_event(std::uint32_t subtask, byte_view event) override;
  void add_splits_back(std::vector<saved_state_split> splits, std::uint32_t subtask) override;
  saved_state_enumeration snapshot(checkpoint_id) override { return waiting_; }

 private:
  void serve();

  saved_state_query query_;
  saved_state_enumeration waiting_;
  bool are_states_asked_;  // they are being looked up, or were
  bool are_states_there_;
  std::deque<std::uint32_t> asking_;  // readers that wait for a split
};

}  // namespace millrace
