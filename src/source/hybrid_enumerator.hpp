#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/source/hybrid_chain.hpp"
#include "millrace/source/hybrid_messages.hpp"

namespace millrace {

/// The snapshot of a hybrid_enumerator.
struct hybrid_enumeration {
  struct switched {
    std::int64_t at_ms = 0;
    std::vector<std::byte> previous;
  };
  std::vector<switched> switches;     ///< One for each source that was read; as many are over.
  std::vector<std::byte> enumerator;  ///< The snapshot of the present source's.
  std::map<std::uint32_t, std::vector<encoded_split>> returned;  ///< Of sources that are over.
};

/// Runs the enumerator of the source whose turn it is, and goes on to the next one when all readers
/// have read theirs to the end (Flink's HybridSourceSplitEnumerator). A reader that failed and went
/// back to a checkpoint before the switch is led through the sources that it has splits of, and
/// then joins the others.
class hybrid_enumerator final : public split_enumerator_base,
                                private enumerator_context,
                                private io_executor {
 public:
  hybrid_enumerator(enumerator_context& context, std::shared_ptr<const hybrid_chain> chain);
  /// Goes on from a snapshot.
  hybrid_enumerator(enumerator_context& context, std::shared_ptr<const hybrid_chain> chain,
                    byte_view snapshot);

  void start() override;
  void add_reader(std::uint32_t subtask) override;
  void handle_split_request(std::uint32_t) override {}  // comes inside of events
  void handle_event(std::uint32_t subtask, byte_view event) override;
  void add_encoded_splits_back(std::vector<encoded_split> splits, std::uint32_t subtask) override;
  std::vector<std::byte> encode_snapshot(checkpoint_id checkpoint) override;
  void on_checkpoint_complete(checkpoint_id checkpoint) override;
  void on_wake() override;
  void close() noexcept override;

 private:
  static constexpr auto never = std::chrono::steady_clock::time_point::max();

  struct reader {
    std::optional<std::uint32_t> at;  // the source that it was told to read
    bool has_finished = false;        // with that
  };

  std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(switches_.size()); }
  switch_context context_of(std::uint32_t index) const;
  void lead(std::uint32_t subtask, std::uint32_t index);
  /// `restored`: the first source that the reader still has splits of.
  void on_finished(std::uint32_t subtask, std::uint32_t finished,
                   std::optional<std::uint32_t> restored);
  void go_on();

  // What the present source's enumerator is given.
  const std::string& operator_name() const noexcept override { return context_.operator_name(); }
  std::uint32_t parallelism() const noexcept override { return context_.parallelism(); }
  bool has_reader(std::uint32_t subtask) const noexcept override;
  bool assign_encoded(std::uint32_t subtask, std::vector<encoded_split> splits) override;
  void signal_no_more_splits(std::uint32_t subtask) override;
  void send_event(std::uint32_t subtask, std::vector<std::byte> event) override;
  void fail(error why) override { context_.fail(std::move(why)); }
  io_executor& io() noexcept override { return *this; }
  file_system& files() noexcept override { return context_.files(); }
  const clock& time() const noexcept override { return context_.time(); }
  void wake_at(std::chrono::steady_clock::time_point when) override;

  /// What an enumerator has waited for that is over must not reach the next one.
  void submit(std::function<void()> work, std::function<void()> done) override;
  std::function<void()> expect(std::function<void()> done) override;
  std::function<void()> for_present_source(std::function<void()> done) const;

  enumerator_context& context_;
  std::shared_ptr<const hybrid_chain> chain_;
  std::vector<hybrid_enumeration::switched> switches_;
  std::shared_ptr<const enumerator_factory> factory_;  // of the present source
  std::unique_ptr<split_enumerator_base> present_;
  std::map<std::uint32_t, std::vector<encoded_split>> returned_;
  std::vector<reader> readers_;  // by subtask
  std::chrono::steady_clock::time_point wake_ = never;
};

}  // namespace millrace
