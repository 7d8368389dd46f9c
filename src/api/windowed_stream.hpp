#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "millrace/api/data_stream.hpp"
#include "millrace/operators/local_slices.hpp"
#include "millrace/operators/slicing_window_operator.hpp"
#include "millrace/operators/window_operator.hpp"
#include "millrace/operators/window_triggers.hpp"

namespace millrace {

/// The trigger that an assigner brings along.
template <class Assigner>
using default_trigger_of =
    std::decay_t<decltype(std::declval<const Assigner&>().default_trigger())>;

/// A keyed stream that was cut into windows (Flink's WindowedStream and AllWindowedStream): says
/// when they emit and what. Results carry the last timestamp of their window.
///
/// Functions of a whole window get its rows and the key: `fn(const Key&, const Window&, const
/// Result&, collector<Out>&)`, or an object with a `process` that gets a `window_context` in place
/// of the window. `Result` is a vector of the rows, or behind an aggregate what that made of them,
/// which takes memory for one accumulator only.
template <class T, class KeyOf, class Assigner, class Trigger = default_trigger_of<Assigner>,
          class Evictor = no_evictor, bool IsLocal = false>
class windowed_stream {
 public:
  /// The type of the keys.
  using key = key_type<T, KeyOf>;
  /// The type of the windows.
  using window = typename Assigner::window;

  windowed_stream(const data_stream<T>& stream, KeyOf key_of, Assigner assigner)
      : windowed_stream(stream, std::move(key_of), assigner, assigner.default_trigger(), {}, 0,
                        {}) {}

  /// When windows emit, in place of what the assigner says.
  template <class Other>
  auto trigger(Other other) const {
    static_assert(window_trigger<Other>,
                  "millrace: trigger needs a window trigger: see "
                  "millrace/operators/window_trigger.hpp");
    static_cast<void>(check_never_opened<Other>());
    return windowed_stream<T, KeyOf, Assigner, Other, Evictor, IsLocal>(
        stream_, key_of_, assigner_, std::move(other), evictor_, lateness_, late_tag_);
  }

  /// What windows forget around each firing. They keep all their rows then.
  template <class Other>
  auto evictor(Other other) const {
    static_assert(window_evictor<Other, T>,
                  "millrace: evictor needs a window evictor: see "
                  "millrace/operators/window_evictor.hpp");
    static_cast<void>(check_never_opened<Other>());
    return windowed_stream<T, KeyOf, Assigner, Trigger, Other, IsLocal>(
        stream_, key_of_, assigner_, trigger_, std::move(other), lateness_, late_tag_);
  }

  /// How long after its end a window of event time still takes late records, each of which makes it
  /// emit again. What comes later still goes to side_output_late_data, or is counted in the job's
  /// result.
  windowed_stream allowed_lateness(std::chrono::milliseconds lateness) const {
    if (lateness.count() < 0)
      throw failure(errc::invalid_argument, "the allowed lateness must not be negative, as " +
                                                std::to_string(lateness.count()) + " ms is");
    auto changed = *this;
    changed.lateness_ = lateness.count();
    return changed;
  }

  /// Records that are late for all their windows can be read from the result's side output of this
  /// tag.
  windowed_stream side_output_late_data(const output_tag<T>& tag) const {
    auto changed = *this;
    changed.late_tag_ = tag;
    return changed;
  }

  /// Aggregates by key and slice before the records are sent to their keys' subtasks, too: much
  /// less is sent where a key has many records between two watermarks, and a key that has more
  /// records than others loads no single subtask. For incremental functions on tumbling and sliding
  /// windows of event time with the default trigger, without allowed lateness and side output.
  auto local_aggregation() const {
    return windowed_stream<T, KeyOf, Assigner, Trigger, Evictor, true>(
        stream_, key_of_, assigner_, trigger_, evictor_, lateness_, late_tag_);
  }

  // -- incremental functions ----------------------------------------------------------------

  /// `fn(const T& value, const T& record)` makes a window's new value; its first record is its
  /// first value. Must be associative and commutative.
  template <class Fn>
  auto reduce(Fn fn) const {
    return fold("window reduce", reduce_fold<T, Fn>{checked_reduce(std::move(fn))}, emit_result());
  }
  /// With a function of the window and the reduced record.
  template <class Fn, class WindowFn>
  auto reduce(Fn fn, WindowFn window_fn) const {
    return fold("window reduce", reduce_fold<T, Fn>{checked_reduce(std::move(fn))},
                wrap(std::move(window_fn)));
  }

  /// An object with create_accumulator(), add(acc&, const T&), get_result(const acc&) and
  /// merge(acc&, const acc&), derived from aggregate_function or not.
  template <class Aggregate>
  auto aggregate(Aggregate aggregate) const {
    return aggregate_with(std::move(aggregate), emit_result());
  }
  /// With a function of the window and the aggregate's result.
  template <class Aggregate, class WindowFn>
  auto aggregate(Aggregate aggregate, WindowFn window_fn) const {
    return aggregate_with(std::move(aggregate), wrap(std::move(window_fn)));
  }

  /// Adds up a field. The other fields are those of the window's first record; if its slices are
  /// shared, as with the default trigger in event time, of the first one in its earliest slice.
  template <class Field = std::identity>
  auto sum(Field field = {}) const {
    static_assert(summable_field<Field, T>,
                  "millrace: sum needs a pointer to a member of the record that is a number");
    return fold("window sum", sum_fold<Field>{field}, emit_result());
  }
  /// The least value of a field. The other fields are as with sum.
  template <class Field = std::identity>
  auto min(Field field = {}) const {
    return extreme<extreme_fold<Field, false>>("window min", field);
  }
  /// The greatest value of a field. The other fields are as with sum.
  template <class Field = std::identity>
  auto max(Field field = {}) const {
    return extreme<extreme_fold<Field, true>>("window max", field);
  }
  /// The record with the least value of a field; of several the first one, in the earliest slice if
  /// the windows share slices.
  template <class Field = std::identity>
  auto min_by(Field field = {}) const {
    return extreme<extreme_by_fold<Field, false>>("window min_by", field);
  }
  /// The record with the greatest value of a field; of several as with min_by.
  template <class Field = std::identity>
  auto max_by(Field field = {}) const {
    return extreme<extreme_by_fold<Field, true>>("window max_by", field);
  }

  // -- functions of all rows ----------------------------------------------------------------

  /// `fn(const Key&, const Window&, const std::vector<T>& rows, collector<U>&)`
  template <class U = void, class Fn>
  auto apply(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, collected_type<Fn, 3>, U>;
    static_assert(!std::is_void_v<out>,
                  "millrace: apply needs a function that takes the key, the window, the rows and "
                  "`collector<U>&`; if it is generic, say what comes out: apply<U>(fn)");
    return add<out>("window apply", listed_contents<T>(), applied_function<Fn>{{std::move(fn)}});
  }

  /// An object with `process(const Key&, window_context<Key, Window>&, const std::vector<T>& rows,
  /// collector<U>&)`, which has side outputs by the context, and `clear(window_context<Key,
  /// Window>&)` if it keeps state per window.
  template <class U = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, window_processed_type<Fn>, U>;
    static_assert(!std::is_void_v<out>,
                  "millrace: process needs an object with a function `process` that takes the key, "
                  "a window_context, the rows and `collector<U>&`; if it is a template, say what "
                  "comes out: process<U>(fn)");
    return add<out>("window process", listed_contents<T>(),
                    processing_function<Fn>{{std::move(fn)}});
  }

 private:
  template <class, class, class, class, class, bool>
  friend class windowed_stream;
  template <class, class, class, class>
  friend class paired_windows;

  windowed_stream(const data_stream<T>& stream, KeyOf key_of, Assigner assigner, Trigger trigger,
                  Evictor evictor, std::int64_t lateness, std::optional<output_tag<T>> late_tag)
      : stream_(stream),
        key_of_(std::move(key_of)),
        assigner_(std::move(assigner)),
        trigger_(std::move(trigger)),
        evictor_(std::move(evictor)),
        lateness_(lateness),
        late_tag_(std::move(late_tag)) {}

  template <class Fn>
  static Fn checked_reduce(Fn fn) {
    static_assert(reduce_function<Fn, T>,
                  "millrace: reduce needs a function that takes two `const T&` and returns a T");
    return fn;
  }

  /// A window function of either form.
  template <class Fn>
  static auto wrap(Fn fn) {
    if constexpr (std::is_void_v<window_processed_type<Fn>>)
      return applied_function<Fn>{{std::move(fn)}};
    else
      return processing_function<Fn>{{std::move(fn)}};
  }
  template <class Result, class Fn>
  static auto emitted_by(const applied_function<Fn>&) -> std::type_identity<collected_type<Fn, 3>>;
  template <class Result, class Fn>
  static auto emitted_by(const processing_function<Fn>&)
      -> std::type_identity<window_processed_type<Fn>>;
  template <class Result>
  static auto emitted_by(const emit_result&) -> std::type_identity<Result>;

  template <class Fold, class Function>
  auto fold(std::string kind, Fold fold, Function function) const {
    using out = typename decltype(emitted_by<T>(function))::type;
    return add<out>(std::move(kind), folded_contents<T, Fold>{std::move(fold)},
                    std::move(function));
  }
  template <class Fold, class Field>
  auto extreme(std::string kind, Field field) const {
    static_assert(comparable_field<Field, T>,
                  "millrace: min, max, min_by and max_by need a pointer to a member of the record "
                  "that can be compared with <");
    return fold(std::move(kind), Fold{field}, emit_result());
  }
  template <class Aggregate, class Function>
  auto aggregate_with(Aggregate aggregate, Function function) const {
    static_assert(aggregates<Aggregate, T>,
                  "millrace: aggregate needs an object with create_accumulator(), add(acc&, const "
                  "T&), get_result(const acc&) and merge(acc&, const acc&)");
    using contents = aggregated_contents<T, Aggregate>;
    using out = typename decltype(emitted_by<typename contents::result_type>(function))::type;
    return add<out>("window aggregate", contents{std::move(aggregate)}, std::move(function));
  }

  template <class Contents>
  auto evicting(Contents contents) const {
    if constexpr (std::same_as<Evictor, no_evictor>)
      return contents;
    else
      return evicted_contents<T, Contents, Evictor>{std::move(contents), evictor_};
  }

  template <class Out, class Inner, class Function>
  single_output<Out> add(std::string kind, Inner inner, Function function) const {
    static_assert(!std::is_void_v<Out>,
                  "millrace: what comes out of the window function can't be told: let it take a "
                  "`collector<U>&` last");
    constexpr bool fits = fits_windows<Function, key, window, typename Inner::result_type, Out>;
    static_assert(
        fits,
        "millrace: a window function takes a `const Key&`, a `const Window&` (`process` a "
        "`window_context<Key, Window>&`), the window's rows as `const std::vector<T>&` or "
        "what they were aggregated to, and `collector<U>&`, with the types of this stream");
    // A function of its own may keep state for each window, which slices would not tell of.
    constexpr bool is_sliced =
        detail::has_slices<Assigner> && std::same_as<Trigger, event_time_trigger> &&
        std::same_as<Evictor, no_evictor> && is_incremental<Inner> && !is_processing<Function>;
    static_assert(
        is_sliced || !IsLocal,
        "millrace: local_aggregation needs tumbling or sliding windows of event time with "
        "their default trigger, without an evictor, and an incremental function");
    if constexpr (!fits)
      return stream_.template transform<Out>(std::move(kind), nullptr);
    else if constexpr (IsLocal && is_sliced)
      return add_local<Out>(std::move(kind), std::move(inner), std::move(function));
    else
      return add_operator<Out, is_sliced>(std::move(kind), evicting(std::move(inner)),
                                          std::move(function));
  }

  template <class Out, bool IsSliced, class Contents, class Function>
  single_output<Out> add_operator(std::string kind, Contents contents, Function function) const {
    window_settings<T, KeyOf, Assigner, Trigger, Contents, Function> how{
        key_of_,   assigner_, trigger_, std::move(contents), std::move(function),
        lateness_, late_tag_};
    operator_factory_ptr factory;
    if constexpr (IsSliced)
      factory = make_slicing_window_operator<T, Out>(std::move(how));
    else
      factory = make_window_operator<T, Out>(std::move(how));
    auto result = stream_.template transform<Out>(std::move(kind), std::move(factory));
    if constexpr (std::same_as<KeyOf, detail::same_for_all>) result.set_non_parallel();
    return result;
  }

  /// Partial sums where the records come from, whose windows follow.
  template <class Out, class Contents, class Function>
  single_output<Out> add_local(std::string kind, Contents contents, Function function) const {
    if (lateness_ != 0 || late_tag_)
      throw failure(errc::invalid_argument,
                    "local_aggregation can't be used with allowed_lateness or "
                    "side_output_late_data, as it sends on sums and no records");
    using sum = partial_sum<key, typename Contents::accumulator>;
    const slice_geometry geometry(assigner_.size_ms(), assigner_.slide_ms(), assigner_.offset_ms());
    const auto sums = stream_.template transform_each<sum>(
        "local " + kind, [&] { return make_local_slices<T>(geometry, key_of_, contents); });
    using member = key sum::*;
    const auto windows = windowed_stream<sum, member, Assigner>(
        keyed_stream<sum, member>(sums, &sum::key), &sum::key, assigner_);
    auto result = windows.template add_operator<Out, true>(
        std::move(kind), partial_contents<key, Contents>{std::move(contents)}, std::move(function));
    if constexpr (std::same_as<KeyOf, detail::same_for_all>) result.set_non_parallel();
    return result;
  }

  data_stream<T> stream_;
  KeyOf key_of_;
  Assigner assigner_;
  Trigger trigger_;
  Evictor evictor_;
  std::int64_t lateness_ = 0;
  std::optional<output_tag<T>> late_tag_;
};

}  // namespace millrace
