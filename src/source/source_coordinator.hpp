#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/source/source.hpp"
#include "millrace/source/split_assignment_tracker.hpp"
#include "millrace/stream/operator_coordinator.hpp"

namespace millrace {

/// Runs the enumerator of a source in the job master (Flink's SourceCoordinator): turns events of
/// readers into calls, sends what the enumerator assigns, and gives splits back that a failed
/// reader had since its checkpoint.
///
/// Its snapshot is a version number and the enumerator's state.
class source_coordinator final : public operator_coordinator, private enumerator_context {
 public:
  source_coordinator(std::shared_ptr<const enumerator_factory> source,
                     coordinator_context& context);

  status restore(byte_view snapshot) override;
  void start() override;
  void on_subtask_ready(std::uint32_t subtask) override;
  void on_subtask_gone(std::uint32_t subtask) override { has_reader_[subtask] = false; }
  void on_subtask_failed(std::uint32_t subtask, checkpoint_id restored) override;
  void on_event(std::uint32_t subtask, byte_view event) override;
  std::vector<std::byte> snapshot(checkpoint_id checkpoint) override;
  void on_checkpoint_complete(checkpoint_id checkpoint) override;
  void on_wake() override;
  void close() noexcept override;

 private:
  static constexpr std::uint32_t snapshot_version = 1;

  const std::string& operator_name() const noexcept override { return context_.operator_name(); }
  std::uint32_t parallelism() const noexcept override { return context_.parallelism(); }
  bool has_reader(std::uint32_t subtask) const noexcept override;
  bool assign_encoded(std::uint32_t subtask, std::vector<encoded_split> splits) override;
  void signal_no_more_splits(std::uint32_t subtask) override;
  void send_event(std::uint32_t subtask, std::vector<std::byte> event) override;
  void fail(error why) override { context_.fail(std::move(why)); }
  io_executor& io() noexcept override { return context_.io(); }
  file_system& files() noexcept override { return context_.files(); }
  const clock& time() const noexcept override { return context_.time(); }
  void wake_at(std::chrono::steady_clock::time_point when) override { context_.wake_at(when); }

  std::shared_ptr<const enumerator_factory> source_;
  coordinator_context& context_;
  std::unique_ptr<split_enumerator_base> enumerator_;
  std::vector<bool> has_reader_;  // by subtask
  split_assignment_tracker tracker_;
};

}  // namespace millrace
