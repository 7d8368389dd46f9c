#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "millrace/core/error.hpp"
#include "millrace/operators/timestamp_assigner.hpp"
#include "millrace/operators/watermark_generator.hpp"

namespace millrace {

/// Sources whose event times are kept close to each other: see `with_watermark_alignment`.
struct watermark_alignment {
  /// Its name; all members, of any operator of the job, have the same.
  std::string group;
  /// How far a member may be ahead of the slowest.
  std::chrono::milliseconds max_drift{0};
  /// How often a member says how far it is.
  std::chrono::milliseconds update_interval{1000};
};

/// Where the timestamps of a stream's records come from, and how far behind them event time is
/// (Flink's WatermarkStrategy). A value; each subtask or split makes a generator of its own.
///
///     watermark_strategy<click>::for_bounded_out_of_orderness(5s)
///         .with_timestamp_assigner(&click::at_ms)
///         .with_idleness(1min)
template <class T>
class watermark_strategy {
 public:
  /// Timestamps never go back within a subtask or split.
  static watermark_strategy for_monotonous_timestamps() {
    return for_bounded_out_of_orderness(std::chrono::milliseconds(0));
  }

  /// A record is at most so much older than the newest one before it; what is older is late.
  static watermark_strategy for_bounded_out_of_orderness(std::chrono::milliseconds most) {
    if (most.count() < 0)
      throw failure(errc::invalid_argument,
                    "for_bounded_out_of_orderness needs a time that is not negative, not " +
                        std::to_string(most.count()) + " ms");
    return watermark_strategy([most] {
      return std::make_unique<detail::bounded_generator<T>>(bounded_out_of_orderness(most.count()));
    });
  }

  /// A generator of your own, copied for each subtask or split: `on_event(const T&, timestamp_ms,
  /// watermark_output&)` for each record and `on_periodic_emit(watermark_output&)` each
  /// `pipeline.auto-watermark-interval`.
  template <class G>
  static watermark_strategy for_generator(G prototype) {
    static_assert(watermark_generator<G, T>,
                  "millrace: for_generator needs a copyable object with on_event(const T&, "
                  "timestamp_ms, watermark_output&) and on_periodic_emit(watermark_output&)");
    return watermark_strategy(
        [prototype] { return std::make_unique<detail::custom_generator<T, G>>(prototype); });
  }

  /// Ingestion time: a record's timestamp is the wall clock's time when it comes here, never less
  /// than that of the one before, and event time follows the clock. No record is late, and a stream
  /// without records does not hold up the others (with Flink's assigner of the current time it
  /// does).
  static watermark_strategy for_ingestion_time() {
    auto by_clock = no_watermarks();
    by_clock.is_ingestion_time_ = by_clock.emits_ = true;
    return by_clock;
  }

  /// None at all, for streams that only processing time matters to.
  static watermark_strategy no_watermarks() {
    watermark_strategy none([] { return std::make_unique<detail::no_generator<T>>(); });
    none.emits_ = false;
    return none;
  }

  /// Without an assigner, records keep the timestamps that they have. `fn` returns milliseconds
  /// since the epoch or a time point of the system clock, and may be a pointer to a member.
  template <class Fn>
  watermark_strategy with_timestamp_assigner(Fn fn) const {
    static_assert(timestamp_function<Fn, T>,
                  "millrace: with_timestamp_assigner needs a pointer to a member, or a function "
                  "that takes `const T&`, and that yields milliseconds since the epoch as an "
                  "integer or a time point of std::chrono::system_clock");
    if (is_ingestion_time_)
      throw failure(
          errc::invalid_argument,
          "for_ingestion_time takes the clock's time and can't have a timestamp assigner; "
          "use for_bounded_out_of_orderness for times that records carry");
    auto changed = *this;
    if constexpr (timestamp_function<Fn, T>)
      changed.assigner_ = std::make_shared<detail::function_assigner<T, Fn>>(std::move(fn));
    return changed;
  }

  /// A subtask or split without a record for so long is idle: others do not wait for its
  /// watermarks. Only time counts in which it could have had records, not while it is held up by
  /// back pressure or alignment.
  watermark_strategy with_idleness(std::chrono::milliseconds timeout) const {
    if (timeout.count() <= 0)
      throw failure(errc::invalid_argument, "with_idleness needs a time above 0, not " +
                                                std::to_string(timeout.count()) + " ms");
    auto changed = *this;
    changed.idleness_ = timeout;
    return changed;
  }

  /// Whoever is more than `max_drift` ahead of the slowest of the group waits for it: so state for
  /// the fast ones' future does not pile up downstream. The group is all subtasks of all streams of
  /// the job that name it. What the others have reached is made known each `update_interval`. Works
  /// at sources: for `from_source`, and for what is assigned in one task with a source.
  watermark_strategy with_watermark_alignment(
      std::string group, std::chrono::milliseconds max_drift,
      std::chrono::milliseconds update_interval = std::chrono::seconds(1)) const {
    if (group.empty() || max_drift.count() < 0 || update_interval.count() <= 0)
      throw failure(errc::invalid_argument,
                    "with_watermark_alignment needs the name of a group, a drift that is not "
                    "negative and an interval above 0");
    auto changed = *this;
    changed.alignment_ = watermark_alignment{std::move(group), max_drift, update_interval};
    return changed;
  }

  /// The same timestamps without anything else, for batch mode: there event time ends with the
  /// input and does not go on before.
  watermark_strategy timestamps_only() const {
    auto timestamps = no_watermarks();
    timestamps.assigner_ = assigner_;
    timestamps.is_ingestion_time_ = is_ingestion_time_;
    return timestamps;
  }

  /// Null if records keep their timestamps.
  const timestamp_assigner<T>* assigner() const noexcept { return assigner_.get(); }
  /// A fresh one, for one subtask or split.
  std::unique_ptr<batch_watermark_generator<T>> make_generator() const { return make_->make(); }
  /// Whether records get the time of their arrival.
  bool is_ingestion_time() const noexcept { return is_ingestion_time_; }
  /// False for `no_watermarks`.
  bool emits_watermarks() const noexcept { return emits_; }
  /// After so long without a record the stream is idle; nothing: never.
  const std::optional<std::chrono::milliseconds>& idleness() const noexcept { return idleness_; }
  /// The group that the stream belongs to, if any.
  const std::optional<watermark_alignment>& alignment() const noexcept { return alignment_; }

 private:
  struct maker {
    virtual ~maker() = default;
    virtual std::unique_ptr<batch_watermark_generator<T>> make() const = 0;
  };
  template <class Make>
  struct maker_of final : maker {
    explicit maker_of(Make how) : make_one(std::move(how)) {}
    std::unique_ptr<batch_watermark_generator<T>> make() const override { return make_one(); }
    Make make_one;
  };

  template <class Make>
  explicit watermark_strategy(Make make)
      : make_(std::make_shared<maker_of<Make>>(std::move(make))) {}

  std::shared_ptr<const maker> make_;
  std::shared_ptr<const timestamp_assigner<T>> assigner_;
  std::optional<std::chrono::milliseconds> idleness_;
  std::optional<watermark_alignment> alignment_;
  bool is_ingestion_time_ = false;
  bool emits_ = true;
};

}  // namespace millrace
