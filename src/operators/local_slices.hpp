#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "millrace/operators/key_block.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/operators/window_slices.hpp"
#include "millrace/operators/window_trigger.hpp"
#include "millrace/state/same_key.hpp"

namespace millrace {

/// What some records of a key in one slice were aggregated to. Its timestamp is the slice's start.
template <class Key, class Acc>
struct partial_sum {
  Key key{};
  std::int64_t records = 0;
  Acc content{};
};

/// Late partial sums count as the records that are in them.
template <class Key, class Acc>
std::int64_t records_in(const partial_sum<Key, Acc>& sum) noexcept {
  return sum.records;
}

/// Makes windows out of partial sums in place of records.
template <class Key, class Contents>
struct partial_contents {
  using accumulator = typename Contents::accumulator;
  using result_type = typename Contents::result_type;
  using partial = partial_sum<Key, accumulator>;

  Contents contents;

  void open(operator_context& context) { detail::open_function(contents, context); }
  void close() requires closeable<Contents> { contents.close(); }
  void add_first(accumulator& into, const partial& sum, timestamp_ms) const { into = sum.content; }
  void add(accumulator& into, const partial& sum, timestamp_ms) const {
    contents.merge(into, sum.content);
  }
  void merge(accumulator& into, const accumulator& from) const { contents.merge(into, from); }
  decltype(auto) result(const accumulator& from) const { return contents.result(from); }
};

/// Aggregates records by key and slice ahead of the exchange by key, so that a partial sum travels
/// in place of many records (local-global aggregation, as Flink SQL's
/// LocalSlicingWindowAggOperator; Larson: "Data reduction by partial preaggregation", ICDE 2002).
/// Sums are kept in a table of a fixed size, where one that needs another's place sends that one
/// on, and all go ahead of the next watermark. Not keyed, and no state: what is kept is sent on
/// ahead of a checkpoint barrier, too.
///
/// No record is later by it than without. While this subtask counts, event time downstream is not
/// beyond the watermark that it has sent last, so that what is kept is in time for all windows that
/// end after that watermark. A record that an earlier window waits for is sent on at once. And once
/// the subtask has been idle it may be that nobody waits for it, until its watermarks have caught
/// up with event time downstream, which is not known here: from then on sums leave with each batch,
/// as its records would.
template <class T, class KeyOf, class Contents>
class local_slices_operator final
    : public producing<partial_sum<key_type<T, KeyOf>, typename Contents::accumulator>> {
 public:
  local_slices_operator(const slice_geometry& geometry, KeyOf key_of, Contents contents)
      : geometry_(geometry), keys_(std::move(key_of)), contents_(std::move(contents)) {}

  void open(operator_context& context) override {
    places_.resize(places);
    contents_.open(context);
  }
  bool finish() override {
    contents_.finish();
    return true;
  }
  void close() noexcept override { contents_.close(); }

  void process(std::size_t, batch& rows, rows_access) override {
    const auto& in = typed<T>(rows);
    if (in.timestamps.empty() && !in.rows.empty()) throw_record_without_timestamp();
    for (std::size_t begin = 0; begin < in.size(); begin += keys_.rows_max) {
      const auto count = std::min(keys_.rows_max, in.size() - begin);
      keys_.find(&in.rows[begin], count);
      for (std::size_t i = 0; i < count; ++i) add(in.rows[begin + i], in.timestamps[begin + i], i);
    }
    if (was_idle_)
      send_all();
    else
      this->out_.flush();
  }

  void on_watermark(timestamp_ms at) override {
    send_all();
    watermark_ = at;
    slice_ = {};
    this->forwarded().push_watermark(at);
  }
  /// While the input is idle, event time goes on without it.
  void on_status(stream_status now) override {
    send_all();
    if (now == stream_status::idle) was_idle_ = true;
    this->forwarded().push_status(now);
  }
  void prepare_snapshot(checkpoint_id) override { send_all(); }

 private:
  using key = key_type<T, KeyOf>;
  using partial = partial_sum<key, typename Contents::accumulator>;

  /// About half of a core's level 2 cache for small keys and accumulators.
  static constexpr std::size_t places = 16 * 1024;
  struct place {
    timestamp_ms slice = 0;
    std::uint64_t hash = 0;
    partial sum;  // without records if the place is free
  };

  /// No time is in it unless it has an end.
  struct slice_at {
    timestamp_ms start = max_watermark;
    timestamp_ms end = no_timestamp;
    std::uint64_t mix = 0;       // for its sums' places
    bool is_in_gap = false;      // of the windows
    bool is_waited_for = false;  // by a window that has ended by this subtask's watermark
  };

  void add(const T& row, timestamp_ms at, std::size_t i) {
    if (at < slice_.start || at >= slice_.end) find_slice(at);
    if (slice_.is_in_gap) return;
    if (slice_.is_waited_for) return send_alone(row, at, i);
    const auto hash = keys_.hash(i);
    const auto number = static_cast<std::uint32_t>((hash ^ slice_.mix) % places);
    place& p = places_[number];
    if (p.sum.records != 0 && p.hash == hash && p.slice == slice_.start &&
        same_key(p.sum.key, keys_.at(i))) [[likely]] {
      contents_->add(p.sum.content, row, at);
      ++p.sum.records;
      return;
    }
    if (p.sum.records != 0)
      send(p);
    else
      taken_.push_back(number);
    p.slice = slice_.start;
    p.hash = hash;
    p.sum.key = keys_.at(i);
    p.sum.records = 1;
    contents_->add_first(p.sum.content, row, at);
  }

  void find_slice(timestamp_ms at) {
    if (!is_placeable(at)) throw_unplaceable_timestamp(at);
    const auto start = geometry_.slice_start(at);
    slice_ = {start, geometry_.slice_end(start), key_hash(start), geometry_.is_in_gap(start),
              geometry_.first_window_end(start) - 1 <= watermark_};
  }

  /// Others may be behind this subtask, so that a window that has ended by its watermark is still
  /// open: until theirs come.
  [[gnu::noinline]] void send_alone(const T& row, timestamp_ms at, std::size_t i) {
    place p;
    p.slice = slice_.start;
    p.sum.key = keys_.at(i);
    p.sum.records = 1;
    contents_->add_first(p.sum.content, row, at);
    send(p);
  }

  void send(const place& p) {
    this->out_.set_timestamp(p.slice);
    this->out_.emit(p.sum);
  }

  void send_all() {
    for (const auto number : taken_) {
      send(places_[number]);
      places_[number].sum.records = 0;
    }
    taken_.clear();
    this->out_.flush();
  }

  slice_geometry geometry_;
  key_block<T, KeyOf> keys_;
  user_function<Contents> contents_;
  std::vector<place> places_;
  std::vector<std::uint32_t> taken_;  // numbers of places that are not free
  slice_at slice_;                    // of the record before
  timestamp_ms watermark_ = no_timestamp;
  bool was_idle_ = false;
};

template <class T, class KeyOf, class Contents>
operator_factory_ptr make_local_slices(const slice_geometry& geometry, KeyOf key_of,
                                       Contents contents) {
  using partial = partial_sum<key_type<T, KeyOf>, typename Contents::accumulator>;
  return make_factory<T, partial>([geometry, key_of, contents] {
    return std::make_unique<local_slices_operator<T, KeyOf, Contents>>(geometry, key_of, contents);
  });
}

}  // namespace millrace
