#pragma once

#include <limits>
#include <string>
#include <vector>

#include "millrace/api/data_sink.hpp"
#include "millrace/api/key_selector.hpp"
#include "millrace/connectors/csv_format.hpp"
#include "millrace/connectors/discard_sink.hpp"
#include "millrace/connectors/file_sink.hpp"
#include "millrace/connectors/print_sink.hpp"
#include "millrace/operators/async_options.hpp"
#include "millrace/operators/collecting_sink.hpp"
#include "millrace/operators/filter.hpp"
#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/function_sink.hpp"
#include "millrace/operators/map.hpp"
#include "millrace/operators/process.hpp"
#include "millrace/operators/sink.hpp"
#include "millrace/operators/timestamps_and_watermarks.hpp"
#include "millrace/stream/compiled_records.hpp"
#include "millrace/stream/output_tag.hpp"

namespace millrace {

template <class T>
class single_output;
template <class T, class KeyOf>
class keyed_stream;
template <class T1, class T2>
class connected_streams;
template <class T>
class broadcast_stream;
template <class T, class B>
class broadcast_connected_stream;
template <class T>
class iterative_stream;
template <class T, class F>
class connected_iterative_streams;
template <class T>
class bounded_partitions;
namespace detail {
template <class T1, class T2>
class stream_pair;
}  // namespace detail
template <class T, class KeyOf, class Assigner, class Trigger, class Evictor, bool IsLocal>
class windowed_stream;
template <class T1, class KeyOf1, class T2, class KeyOf2, class Kind>
class paired_keys;

/// A stream of records of type `T`, and all that can be done with it. A light handle: copies mean
/// the same stream, and consuming it twice sends every record both ways.
template <class T>
class data_stream {
 public:
  /// The type of the records.
  using value_type = T;

  /// `fn(const T&)` makes one record of each record.
  template <class Fn>
  auto map(Fn fn) const {
    static_assert(map_function<Fn, T>,
                  "millrace: map needs a function that takes `const T&` and returns a value");
    if constexpr (map_function<Fn, T>) {
      using out = std::decay_t<std::invoke_result_t<Fn&, const T&>>;
      if constexpr (check_record<out>() && check_copyable<Fn>())
        return transform<out>("map", make_map<T, out>(std::move(fn)));
      else
        return transform<T>("map", nullptr);
    } else {
      return transform<T>("map", nullptr);
    }
  }

  /// `fn(const T&, collector<U>&)` puts any number of records of type `U` into the collector. `U`
  /// is read off the function; a generic one needs it: `flat_map<U>(fn)`.
  template <class U = void, class Fn>
  auto flat_map(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, collected_type<Fn, 1>, U>;
    static_assert(!std::is_void_v<out>,
                  "millrace: flat_map needs a function that takes `const T&` and `collector<U>&`; "
                  "if it is generic, say what comes out: flat_map<U>(fn)");
    if constexpr (std::is_void_v<out>) {
      return transform<T>("flat_map", nullptr);
    } else {
      static_assert(
          flat_map_function<Fn, T, out>,
          "millrace: flat_map needs a function that takes `const T&` and `collector<U>&`");
      if constexpr (!flat_map_function<Fn, T, out>)
        return transform<T>("flat_map", nullptr);
      else if constexpr (check_record<out>() && check_copyable<Fn>())
        return transform<out>("flat_map", make_flat_map<T, out>(std::move(fn)));
      else
        return transform<T>("flat_map", nullptr);
    }
  }

  /// The records for which `fn(const T&)` is true.
  template <class Fn>
  single_output<T> filter(Fn fn) const {
    static_assert(filter_function<Fn, T>,
                  "millrace: filter needs a function that takes `const T&` and returns a bool");
    if constexpr (filter_function<Fn, T> && check_copyable<Fn>())
      return transform<T>("filter", make_filter<T>(std::move(fn)));
    else
      return transform<T>("filter", nullptr);
  }

  /// `fn(const T&, process_context&, collector<U>&)`, or an object as process_function is: any
  /// number of records out, side outputs, time. `U` is read off the function; a generic one needs
  /// it: `process<U>(fn)`.
  template <class U = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, processed_type<Fn>, U>;
    static_assert(element_function<Fn, T, process_context, out>,
                  "millrace: process needs a function that takes `const T&`, `process_context&` "
                  "and `collector<U>&`, or one as process_function is; if it is generic, say what "
                  "comes out: process<U>(fn)");
    if constexpr (!element_function<Fn, T, process_context, out>)
      return transform<T>("process", nullptr);
    else if constexpr (check_record<out>() && check_copyable<Fn>())
      return transform<out>("process", make_process<T, out>(std::move(fn)));
    else
      return transform<T>("process", nullptr);
  }

  /// Asks something that takes its time about each record: a database, a service. `fn` is a
  /// function that may block, a coroutine, or one with a callback (operators/async_function.hpp),
  /// `U` the type of what comes out, if it can't be read off a generic one. Results leave in the
  /// order of the records.
  template <class U = void, class Fn>
  auto async_map_ordered(Fn fn, const async_options& options = {}) const {
    return async_map<U>(async_order::ordered, std::move(fn), options);
  }
  /// The same, but results leave as they come; only watermarks keep their place.
  template <class U = void, class Fn>
  auto async_map_unordered(Fn fn, const async_options& options = {}) const {
    return async_map<U>(async_order::unordered, std::move(fn), options);
  }

  /// This stream and one of another type, for a function that works on both. Include
  /// "millrace/api/connected_streams.hpp", as "millrace/millrace.hpp" does.
  template <class U>
  connected_streams<T, U> connect(const data_stream<U>& other) const;
  /// This stream and a broadcast one, for a function that keeps what was broadcast.
  template <class U>
  broadcast_connected_stream<T, U> connect(const broadcast_stream<U>& other) const;

  /// A loop: this stream and what is fed back, by `close_with` on what is returned. Include
  /// "millrace/api/iterative_stream.hpp", as "millrace/millrace.hpp" does.
  iterative_stream<T> iterate() const;
  /// The same with feedback of type `F`, which is a stream of its own beside this one.
  template <class F>
  connected_iterative_streams<T, F> iterate_with() const;

  /// The records of each subtask of this stream, which must be bounded, to be worked on as a whole
  /// at its end (FLIP-380). Include "millrace/api/bounded_stream.hpp", as "millrace/millrace.hpp"
  /// does.
  bounded_partitions<T> full_window_partition() const;

  /// Gives the records their event times and says how far behind them event time is:
  ///
  ///     clicks.assign_timestamps_and_watermarks(
  ///         watermark_strategy<click>::for_bounded_out_of_orderness(5s)
  ///             .with_timestamp_assigner(&click::at_ms))
  ///
  /// Replaces the timestamps and watermarks that there are. Do it close to the source: behind an
  /// exchange, the records of several readers are more out of order than those of one. With
  /// `with_watermark_alignment` it must be in one task with a source, with which it is chained even
  /// where chaining is disabled: the job is refused otherwise.
  single_output<T> assign_timestamps_and_watermarks(watermark_strategy<T> strategy) const {
    const auto alignment = strategy.alignment();
    const auto id =
        add("timestamps_watermarks", make_timestamps_and_watermarks(std::move(strategy)), false);
    if (alignment) builder_->add_to_alignment_group(id, alignment->group);
    return single_output<T>(builder_, id);
  }

  /// Pairs of records of this stream and another one that have equal keys and are in one window.
  template <class U>
  auto join(const data_stream<U>& other) const;
  /// All records of two streams that have equal keys and are in one window.
  template <class U>
  auto co_group(const data_stream<U>& other) const;

  /// Records of one key go to one subtask. A key selector is a function, a pointer to member or
  /// `field<I>`; several make a composite key.
  template <class... KeyOf>
  auto key_by(KeyOf... key_of) const;

  /// Windows over the whole stream, whatever the keys. Not parallel, so keyed windows with a
  /// second step over their results are faster where there is much to do.
  template <class Assigner>
  auto window_all(Assigner assigner) const;
  /// A result for each `n` records.
  auto count_window_all(std::int64_t n) const;
  /// At each `slide` records, a result of the last `n` ones.
  auto count_window_all(std::int64_t n, std::int64_t slide) const;

  /// This stream and others of the same type as one.
  template <class... Others>
  data_stream union_with(const Others&... others) const {
    static_assert(sizeof...(Others) > 0 && (std::derived_from<Others, data_stream> && ...),
                  "millrace: union_with needs streams of the same record type");
    auto parts = parts_;
    if constexpr ((std::derived_from<Others, data_stream> && ...))
      (parts.insert(parts.end(), parts_of(others).begin(), parts_of(others).end()), ...);
    return data_stream(builder_, std::move(parts));
  }

  /// Round robin over all subtasks of what follows.
  data_stream rebalance() const { return partitioned(graph::partitioning::rebalance); }
  /// Round robin over the subtasks that are local to the sender.
  data_stream rescale() const { return partitioned(graph::partitioning::rescale); }
  /// At random.
  data_stream shuffle() const { return partitioned(graph::partitioning::shuffle); }
  /// Every record to every subtask.
  data_stream broadcast() const { return partitioned(graph::partitioning::broadcast); }
  /// The same, to be kept in these states beside the stream that is connected to it:
  ///
  ///     payments.key_by(&payment::account).connect(rules.broadcast(rules_by_name)).process(fn)
  ///
  /// Throws `failure(invalid_argument)` if two have one name; none can have a time to live. Include
  /// "millrace/api/broadcast_stream.hpp", as "millrace/millrace.hpp" does.
  template <class... K, class... V>
  broadcast_stream<T> broadcast(const map_state_descriptor<K, V>&... states) const
      requires(sizeof...(K) > 0);
  /// Everything to the first subtask.
  data_stream global() const { return partitioned(graph::partitioning::global); }
  /// Subtask i to subtask i; what follows must have the same parallelism.
  data_stream forward() const { return partitioned(graph::partitioning::forward); }

  /// Where `choose(key, subtasks)` says, from 0.
  template <class Choose, class KeyOf>
  data_stream partition_custom(Choose choose, KeyOf key_of) const {
    constexpr bool fits = [] {
      if constexpr (key_selector<KeyOf, T>)
        return std::is_invocable_r_v<std::int64_t, Choose&,
                                     std::invoke_result_t<const KeyOf&, const T&>, std::uint32_t>;
      else
        return false;
    }();
    static_assert(fits,
                  "millrace: partition_custom needs a function that takes the key and the number "
                  "of subtasks and returns the number of one, and a function that finds the key");
    if constexpr (fits) {
      auto select = [choose, key_of](const T& row, std::uint32_t channels) mutable {
        return std::invoke(choose, std::invoke(std::as_const(key_of), row), channels);
      };
      return partitioned(
          graph::partitioning::custom,
          router_factory_ptr(new custom_router_factory<T, decltype(select)>(select)));
    } else {
      return *this;
    }
  }

  /// One line on standard output per record, with "<prefix:subtask> " before it when parallel.
  data_sink print(std::string prefix = {}) const {
    static_assert(printable<T>,
                  "millrace: print needs records with an operator<<, or plain aggregates, tuples "
                  "and containers of such");
    if constexpr (printable<T>)
      return sink("print", print_sink<T>{std::move(prefix)});
    else
      return no_sink("print");
  }

  /// One line per record, as `print` writes it: a file with parallelism 1, else a directory with a
  /// file for each subtask.
  data_sink write_as_text(std::string path, file_sink_options options = {}) const {
    static_assert(printable<T>,
                  "millrace: write_as_text needs records with an operator<<, or plain aggregates, "
                  "tuples and containers of such");
    if constexpr (printable<T>)
      return sink("write_as_text", make_text_file_sink<T>(std::move(path), std::move(options)));
    else
      return no_sink("write_as_text");
  }

  /// One line of comma-separated values per record (RFC 4180), into files as `write_as_text`.
  data_sink write_as_csv(std::string path, csv_options options = {}) const {
    static_assert(csv_writable<T>,
                  "millrace: write_as_csv needs records whose fields can be printed");
    if constexpr (csv_writable<T>)
      return sink("write_as_csv", make_csv_file_sink<T>(std::move(path), std::move(options)));
    else
      return no_sink("write_as_csv");
  }

  /// Swallows the records.
  data_sink discard() const { return sink("discard", discard_sink<T>{}); }

  /// Gives the records to a connector: a `file_sink`, or one of your own (operators/sink.hpp says
  /// what that is). With checkpoints each record comes out once, whatever fails.
  template <class S>
  data_sink sink_to(S to) const {
    static_assert(sink_of<S, T>,
                  "millrace: sink_to needs a sink for records of this type: copyable, with "
                  "`using committable = …` and `std::unique_ptr<sink_writer<T, committable>> "
                  "create_writer(sink_writer_context&) const`");
    if constexpr (sink_of<S, T>)
      if constexpr (check_committers<S>()) return sink("sink", std::move(to));
    return no_sink("sink");
  }

  /// Calls `fn(const T&)` for each record.
  template <class Fn>
  data_sink add_sink(Fn fn) const {
    static_assert(sink_function<Fn, T>,
                  "millrace: add_sink needs a function that takes `const T&`");
    if constexpr (sink_function<Fn, T> && check_copyable<Fn>())
      return last("sink", make_function_sink<T>(std::move(fn)));
    else
      return no_sink("sink");
  }

  /// Runs the job here and returns the records of this stream, at most `limit`: once there are so
  /// many, the job is cancelled. Their order is that of the stream only with parallelism 1. Throws
  /// `failure` if the job fails.
  std::vector<T> execute_and_collect(
      std::size_t limit = std::numeric_limits<std::size_t>::max()) const {
    auto rows = std::make_shared<collected_batches>(limit);
    last("collect", make_collecting_sink(record_type_of<T>(), rows));
    const auto client = builder_->submit({});
    detail::wait_until(*client, [&] { return rows->is_full(); });
    return take_rows<T>(*rows);
  }

 protected:
  data_stream(std::shared_ptr<detail::job_builder> builder, std::vector<detail::stream_part> parts)
      : builder_(std::move(builder)), parts_(std::move(parts)) {}

  /// Without a partitioning of its own, the graph builder chooses between forward and rebalance;
  /// with a single consumer the round robin router is the forward router.
  static detail::stream_part unpartitioned(std::uint32_t node) {
    return {node, graph::partitioning::forward, false,
            router_factory_ptr(new plain_router_factory<T>(graph::partitioning::rebalance))};
  }

  /// The same records, spread as `how` says.
  data_stream partitioned(graph::partitioning how, router_factory_ptr router = nullptr) const {
    if (!router) router = router_factory_ptr(new plain_router_factory<T>(how));
    return data_stream(builder_, detail::partitioned(parts_, how, router));
  }

  /// What `node` emits to the side output of that tag.
  template <class U>
  data_stream<U> side_stream(std::uint32_t node, const output_tag<U>& tag) const {
    builder_->add_side_output(node, tag.name(), record_type_of<U>());
    auto part = data_stream<U>::unpartitioned(node);
    part.side_output = tag.name();
    return data_stream<U>(builder_, {std::move(part)});
  }

  /// Adds an operator that reads this stream.
  template <class Out>
  single_output<Out> transform(std::string kind, operator_factory_ptr factory) const {
    return single_output<Out>(builder_, add(std::move(kind), std::move(factory), false));
  }

  /// An operator of its own behind each of the operators that this stream comes from, with as many
  /// subtasks, however the stream is partitioned: no exchange lies between.
  template <class Out, class Make>
  data_stream<Out> transform_each(const std::string& kind, Make&& make) const {
    std::vector<detail::stream_part> results;
    for (const auto& part : parts_) {
      auto from = unpartitioned(part.node);
      from.side_output = part.side_output;
      const auto id = data_stream(builder_, {std::move(from)}).add(kind, make(), false);
      const auto& before = builder_->node(part.node);
      auto& behind = builder_->node(id);
      behind.parallelism = before.parallelism;
      behind.non_parallel = before.non_parallel;
      behind.slot_sharing_group = before.slot_sharing_group;
      results.push_back(data_stream<Out>::unpartitioned(id));
    }
    return data_stream<Out>(builder_, std::move(results));
  }

  /// Adds a sink that reads this stream: its writer, and its committers behind it.
  template <class S>
  data_sink sink(const std::string& kind, const S& what) const {
    using committable = typename S::committable;
    auto made = make_sink_operators<T>(what);
    if constexpr (std::is_same_v<committable, no_committable>) {
      return last(kind, std::move(made.writer));
    } else {
      std::vector<detail::settings_target> all;
      all.push_back({.node = add(kind, std::move(made.writer), false)});
      constexpr bool is_global = globally_committing_sink<S>;
      if constexpr (committing_sink<S>) {
        const auto id =
            builder_->add_committer(all.back().node, std::move(made.committer), !is_global);
        all.push_back({.node = id, .name_suffix = ": committer", .uid_suffix = "-committer"});
      }
      if constexpr (is_global) {
        const auto committables = data_stream<committable>::unpartitioned(all.back().node);
        const auto id = data_stream<committable>(builder_, {committables})
                            .global()
                            .add("global_committer", std::move(made.global_committer), true);
        builder_->node(id).non_parallel = true;
        all.push_back({.node = id,
                       .name_suffix = ": global committer",
                       .uid_suffix = "-global-committer",
                       .is_parallel = false});
      }
      for (const auto& each : all) builder_->node(each.node).name = kind + each.name_suffix;
      return data_sink(builder_, std::move(all));
    }
  }
  /// Adds an operator that reads this stream and emits nothing.
  data_sink last(std::string kind, operator_factory_ptr factory) const {
    return data_sink(builder_, {{.node = add(std::move(kind), std::move(factory), true)}});
  }
  /// In place of a sink that would not compile.
  data_sink no_sink(std::string kind) const { return last(std::move(kind), nullptr); }

  /// The job that the stream belongs to.
  std::shared_ptr<detail::job_builder> builder_;
  /// What the stream consists of: several parts are a union.
  std::vector<detail::stream_part> parts_;

 private:
  template <class>
  friend class data_stream;
  template <class, class>
  friend class detail::stream_pair;
  template <class>
  friend class iterative_stream;
  template <class, class>
  friend class connected_iterative_streams;
  template <class, class, class, class, class, bool>
  friend class windowed_stream;
  template <class, class, class, class, class>
  friend class paired_keys;

  template <class U, class Fn>
  auto async_map(async_order order, Fn fn, const async_options& options) const;

  /// By one selector, which there is; its key may still be none.
  template <class KeyOf>
  auto keyed_by(KeyOf key_of) const;

  static const std::vector<detail::stream_part>& parts_of(const data_stream& stream) {
    return stream.parts_;
  }

  std::uint32_t add(std::string kind, operator_factory_ptr factory, bool is_sink) const {
    return builder_->add_reader(parts_, std::move(kind), std::move(factory), is_sink);
  }
};

/// The stream that an operator emits, with the operator's settings.
template <class T>
class single_output : public data_stream<T>, public operator_settings<single_output<T>> {
 public:
  single_output(std::shared_ptr<detail::job_builder> builder, std::uint32_t node)
      : data_stream<T>(builder, {data_stream<T>::unpartitioned(node)}),
        operator_settings<single_output<T>>(builder, {{.node = node}}) {}

  /// What the operator emits to the side output of that tag (Flink's getSideOutput). What goes to a
  /// side output that nobody reads is dropped.
  template <class U>
  data_stream<U> side_output(const output_tag<U>& tag) const {
    return this->side_stream(this->parts_.front().node, tag);
  }
};

}  // namespace millrace

#include "millrace/api/async_map.hpp"
#include "millrace/api/keyed_stream.hpp"
