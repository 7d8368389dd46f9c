#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/io.hpp"
#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/keyed_runtime_context.hpp"
#include "millrace/operators/side_outputs.hpp"
#include "millrace/operators/time_window.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/state/keyed_state_slot.hpp"

namespace millrace {

/// What a window function may see and use (Flink's ProcessWindowFunction.Context). Valid during the
/// call.
template <class Key, class Window>
class window_context {
 public:
  /// All that is referred to outlives the context.
  window_context(keyed_state_backend<Key>& backend, side_outputs& side, const Window& window,
                 timestamp_ms watermark, timestamp_ms now, bool windows_merge)
      : backend_(backend),
        side_(side),
        window_(window),
        watermark_(watermark),
        now_(now),
        windows_merge_(windows_merge) {}

  /// The window at hand.
  const Window& window() const noexcept { return window_; }
  /// Event time.
  timestamp_ms current_watermark() const noexcept { return watermark_; }
  /// The wall clock's time.
  timestamp_ms current_processing_time() const noexcept { return now_; }

  /// Emits to a side output, with the timestamp that the window's results have. Dropped if the job
  /// does not read that side output. Throws `failure(type_mismatch)` if it reads it as another
  /// type.
  template <class T>
  void output(const output_tag<T>& tag, std::type_identity_t<T> row) const {
    side_.emit(tag, std::move(row), timestamp_of_results(window_));
  }

  /// State of the key in this window, by a name of its own, for windows that fire more than once.
  /// The function clears it in its `clear`, else it stays for ever. Throws `failure` where windows
  /// merge, as nobody could tell what becomes of it.
  template <class Descriptor>
  auto window_state(const Descriptor& descriptor) const {
    if (windows_merge_)
      throw failure(errc::invalid_argument,
                    "state '" + descriptor.name() +
                        "' can't be kept per window, as these windows merge: use global_state");
    check_state_name(descriptor.name());
    auto state = backend_.template get_namespaced<Window>(descriptor);
    state.set_current_namespace(window_);
    return state;
  }
  /// State of the key over all its windows.
  template <class Descriptor>
  auto global_state(const Descriptor& descriptor) const {
    check_state_name(descriptor.name());
    return backend_.template get_namespaced<void_namespace>(descriptor);
  }

 private:
  keyed_state_backend<Key>& backend_;
  side_outputs& side_;
  const Window& window_;
  timestamp_ms watermark_;
  timestamp_ms now_;
  bool windows_merge_;
};

/// What `apply` takes.
template <class Fn, class Key, class Window, class Result, class Out>
concept window_function =
    !std::is_void_v<Out> &&
    std::invocable<Fn&, const Key&, const Window&, const Result&, collector<Out>&>;
/// What `process` takes.
template <class Fn, class Key, class Window, class Result, class Out>
concept process_window_function =
    !std::is_void_v<Out> && requires(Fn & fn, const Key& key, window_context<Key, Window>& context,
                                     const Result& result, collector<Out>& out) {
  fn.process(key, context, result, out);
};

/// Emits a window's result as it is.
struct emit_result {
  /// `Out` must be made from `Result`, whatever the key and the window.
  template <class Key, class Window, class Result, class Out>
  void operator()(const Key&, window_context<Key, Window>&, Result&& result,
                  collector<Out>& out) const {
    out.emit(std::forward<Result>(result));
  }
};

/// `fn(const Key&, const Window&, const Result&, collector<Out>&)` (Flink's WindowFunction).
template <class Fn>
struct applied_function : detail::opened_function<Fn> {
  /// Calls the function, which may emit any number of records.
  template <class Key, class Window, class Result, class Out>
  void operator()(const Key& key, window_context<Key, Window>& context, const Result& result,
                  collector<Out>& out) {
    std::invoke(this->fn, key, context.window(), result, out);
  }
};

/// An object with `process(const Key&, window_context<Key, Window>&, const Result&,
/// collector<Out>&)` and, if it keeps state per window, `clear(window_context<Key, Window>&)`
/// (Flink's ProcessWindowFunction).
template <class Fn>
struct processing_function : detail::opened_function<Fn> {
  /// Calls the function, which may emit any number of records.
  template <class Key, class Window, class Result, class Out>
  void operator()(const Key& key, window_context<Key, Window>& context, const Result& result,
                  collector<Out>& out) {
    this->fn.process(key, context, result, out);
  }
  /// The window is over: what the function keeps for it goes.
  template <class Key, class Window>
  requires requires(Fn& f, window_context<Key, Window>& context) { f.clear(context); }
  void clear(window_context<Key, Window>& context) { this->fn.clear(context); }
};

/// Whether a function can be called for such windows.
template <class Function, class Key, class Window, class Result, class Out>
inline constexpr bool fits_windows = true;
/// An applied_function must be a window_function of these.
template <class Fn, class Key, class Window, class Result, class Out>
inline constexpr bool fits_windows<applied_function<Fn>, Key, Window, Result, Out> =
    window_function<Fn, Key, Window, Result, Out>;
/// A processing_function must be a process_window_function of these.
template <class Fn, class Key, class Window, class Result, class Out>
inline constexpr bool fits_windows<processing_function<Fn>, Key, Window, Result, Out> =
    process_window_function<Fn, Key, Window, Result, Out>;

/// Whether it is a processing_function.
template <class Function>
inline constexpr bool is_processing = false;
/// Whether it is a processing_function.
template <class Fn>
inline constexpr bool is_processing<processing_function<Fn>> = true;

namespace detail {

template <class Fn>
consteval auto find_window_processed() {
  if constexpr (requires { collected_by<3>(&Fn::process); })
    return decltype(collected_by<3>(&Fn::process)){};
  else
    return std::type_identity<void>{};
}

}  // namespace detail

/// The `U` of the `collector<U>&` that `Fn::process` takes last; void if it does not tell.
template <class Fn>
using window_processed_type =
    typename decltype(detail::find_window_processed<std::decay_t<Fn>>())::type;

}  // namespace millrace
