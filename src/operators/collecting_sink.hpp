#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "millrace/operators/collected_batches.hpp"
#include "millrace/state/operator_state.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// Rows that a collecting sink got before a checkpoint, as a checkpoint keeps them.
struct collected_part {
  std::uint64_t checkpoint = 0;
  std::uint64_t fingerprint = 0;  ///< Of the records' type.
  std::uint64_t rows = 0;
  std::vector<std::byte> bytes;
};

/// Hands its rows to the program that runs the job; if there are checkpoints, once the one behind
/// them is complete, so that each row comes once whatever fails. Without them, rows come at once
/// and are part of no savepoint; a subtask that is restarted begins afresh, or from what the job
/// was started from, and what it had brought is forgotten.
class collecting_sink final : public stream_operator {
 public:
  static constexpr bool commits = true;

  collecting_sink(const record_type& type, std::shared_ptr<collected_batches> rows)
      : type_(type), rows_(std::move(rows)) {}

  void open(operator_context& context) override;
  void process(std::size_t, batch& rows, rows_access access) override;
  void snapshot_state(checkpoint_id id) override;
  void on_checkpoint_complete(checkpoint_id id) override;

 private:
  const record_type& type_;
  std::shared_ptr<collected_batches> rows_;
  std::uint32_t subtask_ = 0;
  bool is_checkpointed_ = false;
  // -- checkpointed
  std::vector<batch_ptr> since_;                             // the last barrier
  std::map<std::uint64_t, std::vector<batch_ptr>> waiting_;  // by the checkpoint they wait for
  operator_list_state<collected_part> kept_;
};

/// Collects records of that type.
operator_factory_ptr make_collecting_sink(const record_type& type,
                                          std::shared_ptr<collected_batches> rows);

}  // namespace millrace
