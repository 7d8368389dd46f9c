#include "millrace/operators/collecting_sink.hpp"

#include <utility>

#include "millrace/operators/typed_factory.hpp"

namespace millrace {

void collecting_sink::open(operator_context& context) {
  subtask_ = context.runtime().subtask_index();
  is_checkpointed_ = context.is_checkpointed();
  if (!is_checkpointed_ && context.runtime().attempt() > 0) rows_->forget(subtask_);
  kept_ =
      context.operator_state().get_list_state(list_state_descriptor<collected_part>("collected"));
  std::map<std::uint64_t, std::vector<batch_ptr>> restored;
  for (const auto& part : kept_.get()) {
    auto rows = type_.decode(encoded_batch(part.fingerprint, part.rows, part.bytes));
    if (!rows) throw failure(rows.error());
    restored[part.checkpoint].push_back(*std::move(rows));
  }
  // The checkpoint is complete, or nothing would be restored from it.
  for (auto& [checkpoint, rows] : restored) rows_->add_of(subtask_, checkpoint, std::move(rows));
  kept_.clear();
}

void collecting_sink::process(std::size_t, batch& rows, rows_access access) {
  auto taken = type_.take(rows, access);
  if (is_checkpointed_)
    since_.push_back(std::move(taken));
  else
    rows_->add(subtask_, std::move(taken));
}

void collecting_sink::snapshot_state(checkpoint_id id) {
  if (!since_.empty()) waiting_[id.number] = std::exchange(since_, {});
  kept_.clear();
  for (const auto& [checkpoint, batches] : waiting_) {
    for (const auto& rows : batches) {
      byte_writer bytes;
      rows->encode_rows(bytes);
      kept_.add({checkpoint, rows->fingerprint(), rows->size(), std::move(bytes).take()});
    }
  }
}

void collecting_sink::on_checkpoint_complete(checkpoint_id id) {
  while (!waiting_.empty() && waiting_.begin()->first <= id.number) {
    auto first = waiting_.extract(waiting_.begin());
    rows_->add_of(subtask_, first.key(), std::move(first.mapped()));
  }
}

operator_factory_ptr make_collecting_sink(const record_type& type,
                                          std::shared_ptr<collected_batches> rows) {
  auto make = [&type, rows = std::move(rows)] {
    return std::make_unique<collecting_sink>(type, rows);
  };
  return operator_factory_ptr(
      new detail::making_factory<decltype(make)>(std::move(make), {&type, nullptr}, nullptr));
}

}  // namespace millrace
