#pragma once

#include <chrono>
#include <utility>

#include "millrace/api/keyed_stream.hpp"
#include "millrace/operators/window_join.hpp"

namespace millrace {

/// Two streams in common windows (Flink's JoinedStreams.WithWindow and
/// CoGroupedStreams.WithWindow). `Kind` is what is done with them, `Windows` a windowed_stream of
/// the rows of either. Results carry the last timestamp of their window.
template <class T1, class T2, class Kind, class Windows>
class paired_windows {
 public:
  explicit paired_windows(Windows windows) : windows_(std::move(windows)) {}

  /// These four as those of windowed_stream.
  template <class Trigger>
  auto trigger(Trigger trigger) const {
    return with(windows_.trigger(std::move(trigger)));
  }
  /// As of windowed_stream.
  template <class Evictor>
  auto evictor(Evictor evictor) const {
    return with(windows_.evictor(std::move(evictor)));
  }
  /// As of windowed_stream.
  auto allowed_lateness(std::chrono::milliseconds lateness) const {
    return with(windows_.allowed_lateness(lateness));
  }
  /// As of windowed_stream; a late record of either stream.
  auto side_output_late_data(const output_tag<either_row<T1, T2>>& tag) const {
    return with(windows_.side_output_late_data(tag));
  }

  /// After join: `fn(const T1&, const T2&)`, which returns a row, or `fn(const T1&, const T2&,
  /// collector<Out>&)`, for each pair of rows of a key and window. In an outer join both are
  /// pointers, and one is null for a row whose window has none of the other stream.
  ///
  /// After co_group: `fn(const std::vector<T1>&, const std::vector<T2>&, collector<Out>&)` for each
  /// key and window that has rows of either stream.
  template <class Out = void, class Fn>
  auto apply(Fn fn) const {
    using out = typename Kind::template result<T1, T2, Fn, Out>;
    static_assert(!std::is_void_v<out>,
                  "millrace: what comes out of the function can't be told: let it take a "
                  "`collector<U>&` last, or say it: apply<U>(fn)");
    static_assert(Kind::template fits<T1, T2, Fn, out>,
                  "millrace: the function of a join takes `const T1&` and `const T2&` (that of an "
                  "outer join pointers to these), that of a co_group `const std::vector<T1>&` and "
                  "`const std::vector<T2>&`, of the records of these streams; co_group's, and "
                  "join's if it likes, `collector<U>&` last");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    return windows_.template add<out>(Kind::name, joined_contents<T1, T2>(),
                                      typename Kind::template function<Fn>{{std::move(fn)}});
  }

 private:
  template <class Other>
  static auto with(Other windows) {
    return paired_windows<T1, T2, Kind, Other>(std::move(windows));
  }

  Windows windows_;
};

/// What where(…).equal_to(…) gives: it needs a window.
template <class T1, class KeyOf1, class T2, class KeyOf2, class Kind>
class paired_keys {
 public:
  static_assert(std::same_as<key_type<T1, KeyOf1>, key_type<T2, KeyOf2>>,
                "millrace: where and equal_to must give keys of the same type");

  paired_keys(const keyed_stream<T1, KeyOf1>& first, const keyed_stream<T2, KeyOf2>& second)
      : first_(first), second_(second), key_of_{first.key_of(), second.key_of()} {}

  /// The windows in which records meet.
  template <class Assigner>
  auto window(Assigner assigner) const {
    using row = either_row<T1, T2>;
    static_assert(window_assigner<Assigner, row>,
                  "millrace: window needs a window assigner such as "
                  "tumbling_event_time_windows::of(1min)");
    const auto all = either<0>(first_).union_with(either<1>(second_));
    auto windows =
        keyed_stream<row, either_key<KeyOf1, KeyOf2>>(all, key_of_).window(std::move(assigner));
    return paired_windows<T1, T2, Kind, decltype(windows)>(std::move(windows));
  }

 private:
  /// Where the records come from, so that those of a key keep their order.
  template <std::size_t I, class T>
  static auto either(const data_stream<T>& stream) {
    using row = either_row<T1, T2>;
    return stream.template transform_each<row>(
        "map", [] { return make_map<T, row>(to_either<T1, T2, I>()); });
  }

  data_stream<T1> first_;
  data_stream<T2> second_;
  either_key<KeyOf1, KeyOf2> key_of_;
};

/// What where(…) gives: it needs the other stream's key.
template <class T1, class KeyOf1, class T2, class Kind>
class half_paired_keys {
 public:
  half_paired_keys(const keyed_stream<T1, KeyOf1>& first, const data_stream<T2>& second)
      : first_(first), second_(second) {}

  /// The key of the second stream: one selector or several, as key_by takes them.
  template <class... KeyOf>
  auto equal_to(KeyOf... key_of) const {
    return pair_with(second_.key_by(std::move(key_of)...));
  }

 private:
  template <class KeyOf2>
  auto pair_with(const keyed_stream<T2, KeyOf2>& second) const {
    return paired_keys<T1, KeyOf1, T2, KeyOf2, Kind>(first_, second);
  }

  keyed_stream<T1, KeyOf1> first_;
  data_stream<T2> second_;
};

/// Two streams that are to be joined or co-grouped in windows (Flink's JoinedStreams and
/// CoGroupedStreams):
///
///     clicks.join(views)
///         .where(&click::user)
///         .equal_to(&view::user)
///         .window(tumbling_event_time_windows::of(1min))
///         .apply([](const click& c, const view& v) { return clicked_view{c.user, v.page}; });
template <class T1, class T2, class Kind>
class paired_streams {
 public:
  paired_streams(const data_stream<T1>& first, const data_stream<T2>& second)
      : first_(first), second_(second) {}

  /// Rows of which the window has none of the other stream come out as well.
  auto left_outer() const requires(Kind::is_join) { return as<join_type::left_outer>(); }
  /// And the right records without a partner.
  auto right_outer() const requires(Kind::is_join) { return as<join_type::right_outer>(); }
  /// And the records of both without a partner.
  auto full_outer() const requires(Kind::is_join) { return as<join_type::full_outer>(); }

  /// The key of the first stream: one selector or several, as key_by takes them.
  template <class... KeyOf>
  auto where(KeyOf... key_of) const {
    return pair_with(first_.key_by(std::move(key_of)...));
  }

 private:
  template <class KeyOf1>
  auto pair_with(const keyed_stream<T1, KeyOf1>& first) const {
    return half_paired_keys<T1, KeyOf1, T2, Kind>(first, second_);
  }
  template <join_type Type>
  auto as() const {
    return paired_streams<T1, T2, window_join_of<Type>>(first_, second_);
  }

  data_stream<T1> first_;
  data_stream<T2> second_;
};

template <class T>
template <class U>
auto data_stream<T>::join(const data_stream<U>& other) const {
  return paired_streams<T, U, window_join_of<join_type::inner>>(*this, other);
}

template <class T>
template <class U>
auto data_stream<T>::co_group(const data_stream<U>& other) const {
  return paired_streams<T, U, window_co_group>(*this, other);
}

}  // namespace millrace
