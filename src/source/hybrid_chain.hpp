#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/source/source.hpp"

namespace millrace {

/// What is known when a source of a hybrid_source has been read and the next one begins (Flink's
/// SourceSwitchContext). The same for the enumerator and all readers, also after a restore.
class switch_context {
 public:
  switch_context() = default;
  switch_context(std::int64_t at_ms, std::vector<std::byte> previous)
      : at_ms_(at_ms), previous_(std::move(previous)) {}

  /// The wall clock's time of the switch, in milliseconds since the epoch.
  std::int64_t at_ms() const noexcept { return at_ms_; }
  /// The last state of the enumerator before, of which `State` must be the type. Throws `failure`
  /// if it is not.
  template <encodable State>
  State previous_state() const {
    return decode_enumerator_state<State>(previous_);
  }
  /// The same as bytes.
  const std::vector<std::byte>& previous() const noexcept { return previous_; }

 private:
  std::int64_t at_ms_ = 0;
  std::vector<std::byte> previous_;
};

/// The sources of a hybrid_source as its enumerator sees them. Const and shared.
class hybrid_chain {
 public:
  virtual ~hybrid_chain() = default;
  /// Number of sources, at least 1.
  virtual std::uint32_t size() const noexcept = 0;
  /// The nth source; `how` says how it came to its turn, meaningless for the first.
  virtual std::shared_ptr<const enumerator_factory> enumerators_of(
      std::uint32_t index, const switch_context& how) const = 0;
};

}  // namespace millrace
