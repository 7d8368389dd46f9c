#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/core/event_time.hpp"
#include "millrace/state/state_table.hpp"
#include "millrace/state/timer_queue.hpp"

namespace millrace {

/// Timers of an operator in event time and in processing time (Flink's InternalTimerService). They
/// belong to a key and a namespace, live by key group in memory, whatever the backend, and are part
/// of its snapshots. Registering one twice is registering it once. Owned by the backend, which also
/// says which key is the current one.
///
/// Timers fire in the order of their timestamps, each after it was removed; `fire(timer)` must set
/// the current key itself, and may register and delete timers: what it registers for a time that
/// has come fires in the same call.
template <class Key, class N>
class timer_service final : public keyed_state_table_of<Key> {
 public:
  /// `context` says which key is the current one and outlives this; timers are for keys of
  /// `groups`.
  timer_service(state_info info, const key_context<Key>& context, key_group_range groups,
                std::uint32_t max_parallelism)
      : info_(std::move(info)),
        context_(context),
        max_parallelism_(max_parallelism),
        event_timers_(groups, max_parallelism),
        processing_timers_(groups, max_parallelism) {}

  /// Of the current key. False if it was registered before.
  bool register_event_time_timer(const N& ns, timestamp_ms timestamp) {
    return event_timers_.add(context_.hash, context_.key, ns, timestamp);
  }
  /// The same by the wall clock. Nothing happens during end_processing_time().
  bool register_processing_time_timer(const N& ns, timestamp_ms timestamp) {
    if (is_ending_) {
      ++dropped_;
      return false;
    }
    return processing_timers_.add(context_.hash, context_.key, ns, timestamp);
  }
  /// Of the current key. False if there was none.
  bool delete_event_time_timer(const N& ns, timestamp_ms timestamp) {
    return event_timers_.remove(context_.hash, context_.key, ns, timestamp);
  }
  /// The same for a timer of the wall clock.
  bool delete_processing_time_timer(const N& ns, timestamp_ms timestamp) {
    return processing_timers_.remove(context_.hash, context_.key, ns, timestamp);
  }

  /// The last one given to advance_watermark(); before it, no_timestamp.
  timestamp_ms current_watermark() const noexcept { return watermark_; }

  /// The watermark is `timestamp` now, unless it was later before: `fire(const timer<Key, N>&)`
  /// for every event-time timer up to it.
  template <class Fire>
  void advance_watermark(timestamp_ms timestamp, Fire&& fire) {
    if (timestamp < watermark_) return;
    watermark_ = timestamp;
    fire_until(event_timers_, timestamp, fire);
  }

  /// The wall clock says `timestamp`: the same for processing-time timers.
  template <class Fire>
  void advance_processing_time(timestamp_ms timestamp, Fire&& fire) {
    fire_until(processing_timers_, timestamp, fire);
  }

  /// All processing-time timers that are left fire at once, as the input of a job in batch mode has
  /// ended (Flink's BatchExecutionInternalTimeService), and then what timers of event time they
  /// have registered, whose time has passed. What is registered of processing time meanwhile would
  /// never end: it is dropped. Returns how many were.
  template <class Fire, class FireEventTime>
  std::size_t end_processing_time(Fire&& fire, FireEventTime&& fire_event_time) {
    is_ending_ = true;
    dropped_ = 0;
    fire_until(processing_timers_, max_watermark, fire);
    fire_until(event_timers_, watermark_, fire_event_time);
    is_ending_ = false;
    return dropped_;
  }

  /// When the next processing-time timer is due; max_watermark if there is none.
  std::int64_t next_processing_time() const noexcept { return processing_timers_.next_timestamp(); }
  /// When the next event-time timer is due; max_watermark if there is none.
  std::int64_t next_event_time() const noexcept { return event_timers_.next_timestamp(); }

  /// How many there are, over all keys and namespaces.
  std::size_t event_time_timer_count() const noexcept { return event_timers_.size(); }
  /// How many there are, over all keys and namespaces.
  std::size_t processing_time_timer_count() const noexcept { return processing_timers_.size(); }

  const state_info& info() const noexcept override { return info_; }

  void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) override {
    const auto visit_all = [&](timer_queue<Key, N>& timers, domain where) {
      timers.for_each_in_group(
          group, [&, encode = encoder(where)](const Key& key, const N& ns, auto timestamp) mutable {
            const auto entry = encode(key, ns, timestamp);
            visitor.entry(entry.key, entry.ns, {}, entry.value);
          });
    };
    visit_all(event_timers_, domain::event_time);
    visit_all(processing_timers_, domain::processing_time);
  }

  void begin_snapshot(snapshot_section& to) override {
    section_ = &to;
    event_timers_.freeze(encoder(domain::event_time));
    processing_timers_.freeze(encoder(domain::processing_time));
  }
  bool write_group(std::uint32_t group, snapshot_budget& budget) override {
    return event_timers_.write_frozen(group, *section_, budget) &&
           processing_timers_.write_frozen(group, *section_, budget);
  }
  void end_snapshot() noexcept override {
    event_timers_.thaw();
    processing_timers_.thaw();
  }

  status restore_entry(std::uint32_t group, const state_info&,
                       const encoded_entry& entry) override {
    Key key{};
    N ns{};
    if (auto good = read_key(entry, group, max_parallelism_, key, ns); !good) return good;
    domain where{};
    std::int64_t timestamp = 0;
    if (auto good = decode_bytes_into(entry.value, where, timestamp); !good) return good;
    if (where != domain::event_time && where != domain::processing_time)
      return fail(errc::invalid_data, "a timer is of no known kind of time");
    auto& timers = where == domain::event_time ? event_timers_ : processing_timers_;
    timers.add(key_hash(key), key, ns, timestamp);
    return {};
  }

 private:
  /// Numbers are in snapshots: do not renumber.
  enum class domain : std::uint8_t { event_time = 1, processing_time = 2 };

  /// Encodes timers one by one; the views are valid until the next one.
  static auto encoder(domain where) {
    return
        [where, key_bytes = byte_writer(), ns_bytes = byte_writer(), value_bytes = byte_writer()](
            const Key& key, const N& ns, std::int64_t timestamp) mutable -> encoded_entry {
          key_bytes.clear();
          ns_bytes.clear();
          value_bytes.clear();
          encode(key_bytes, key);
          encode(ns_bytes, ns);
          encode(value_bytes, where, timestamp);
          return {key_bytes.bytes(), ns_bytes.bytes(), {}, value_bytes.bytes()};
        };
  }

  template <class Fire>
  static void fire_until(timer_queue<Key, N>& timers, timestamp_ms timestamp, Fire& fire) {
    while (!timers.empty() && timers.next_timestamp() <= timestamp) {
      const timer<Key, N> due = timers.pop();
      fire(due);
    }
  }

  state_info info_;
  const key_context<Key>& context_;
  std::uint32_t max_parallelism_;
  timer_queue<Key, N> event_timers_;
  timer_queue<Key, N> processing_timers_;
  timestamp_ms watermark_ = no_timestamp;
  bool is_ending_ = false;               // within end_processing_time()
  std::size_t dropped_ = 0;              // there
  snapshot_section* section_ = nullptr;  // of the snapshot under way
};

}  // namespace millrace
