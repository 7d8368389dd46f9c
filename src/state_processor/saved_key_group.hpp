#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/event_time.hpp"
#include "millrace/state/encoded_key_group.hpp"
#include "millrace/state/key_group_sections.hpp"
#include "millrace/state/keyed_state_backend_base.hpp"

namespace millrace {

/// A key group of a snapshot that is being read: what states and keys it has, and what of it a
/// function gets. All throw `failure` naming the operator.
class saved_key_group {
 public:
  /// `subject` is the operator as errors call it. `invalid_data` for parts that are no key groups.
  saved_key_group(std::string subject, std::uint32_t group,
                  const std::vector<encoded_key_group>& parts);

  /// `type_mismatch` with both types if its keys have another one than that of the fingerprint.
  void check_key_type(std::uint64_t wanted) const;
  /// Gives the states that the backend was asked for their content. `type_mismatch` for those that
  /// were saved as something else.
  void restore_to(keyed_state_backend_base& backend) const;
  /// Encoded keys that have something in one of those states, or a timer, each once and in the
  /// order of their bytes; of no states: those that have anything. Valid as long as this.
  std::vector<byte_view> keys(const std::vector<state_info>& states) const;

  /// Timers that functions have registered for a key.
  struct timers {
    std::vector<timestamp_ms> event_time;
    std::vector<timestamp_ms> processing_time;
  };
  timers timers_of(byte_view key) const;

 private:
  struct saved_timer {
    byte_view key;
    bool is_event_time = false;
    timestamp_ms at = 0;
  };

  template <class Visit>
  void each_entry(const key_group_section& section, Visit&& visit) const;
  [[noreturn]] void refuse(errc code, const std::string& why) const;

  std::string subject_;
  std::uint32_t group_;
  std::vector<shared_bytes> parts_;
  std::vector<key_group_section> sections_;  // of parts_
  std::vector<saved_timer> timers_;          // by key
};

}  // namespace millrace
