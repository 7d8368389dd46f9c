#pragma once

#include <memory>
#include <vector>

#include "millrace/source/source_event_time.hpp"
#include "millrace/source/source_reader.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// Runs the reader of one subtask of a source (Flink's SourceOperator): brings it what the
/// enumerator sends, keeps its splits as operator state, and gives its records event time if the
/// source has a watermark strategy. All of it but what has to do with the records' type, which
/// source_reader_operator adds.
///
/// Checkpointed: the splits, with how far they were read, as a list that is dealt out anew when the
/// parallelism changes. Not checkpointed: event time, which the splits build up again.
class reading_operator : public source_operator, protected reader_context {
 public:
  void open(operator_context& context) final;
  poll_status poll() final;
  void on_coordinator_event(byte_view event) final;
  void on_processing_time(timestamp_ms now) final;
  void on_alignment_limit(const std::string& group, timestamp_ms limit) final;
  bool is_busy() const noexcept final;
  bool lets_barriers_pass() const noexcept final { return is_busy(); }
  void on_watermark(timestamp_ms at) final;
  void snapshot_state(checkpoint_id checkpoint) final;
  void on_checkpoint_complete(checkpoint_id checkpoint) final;
  void on_checkpoint_aborted(checkpoint_id checkpoint) final;
  bool finish() final;
  void close() noexcept final;
  source_progress progress() const noexcept final;

 protected:
  /// `event_time` may be null.
  explicit reading_operator(std::unique_ptr<any_source_event_time> event_time)
      : event_time_(std::move(event_time)) {}

  virtual std::unique_ptr<any_source_reader> make_reader(reader_context& context) const = 0;
  /// Polls the reader, and flushes what it has emitted.
  virtual poll_status read(any_source_reader& reader) = 0;

  any_source_event_time* event_time() const noexcept { return event_time_.get(); }

 private:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr auto never = time_point::max();

  operator_context& task() noexcept override { return *context_; }
  void wake_at(time_point when) override;
  void request_split() override;
  void send_event(std::vector<std::byte> event) override;

  void add_splits(std::vector<encoded_split> splits);
  void pause_splits();
  void ask_to_be_woken();

  std::unique_ptr<any_source_event_time> event_time_;
  operator_context* context_ = nullptr;
  operator_list_state<encoded_split> splits_;
  std::unique_ptr<any_source_reader> reader_;
  time_point reader_wake_ = never;
};

}  // namespace millrace
