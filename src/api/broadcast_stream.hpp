#pragma once

#include <string>
#include <utility>

#include "millrace/api/connected_streams.hpp"
#include "millrace/operators/broadcast_process.hpp"

namespace millrace {

/// A stream of which every subtask gets every record, to be kept in broadcast states (Flink's
/// BroadcastStream). Made by `stream.broadcast(descriptors…)`; connect another stream to it.
template <class T>
class broadcast_stream {
 public:
  broadcast_stream(data_stream<T> stream, broadcast_descriptors states)
      : stream_(std::move(stream)), states_(std::move(states)) {}

  /// What is broadcast.
  const data_stream<T>& stream() const noexcept { return stream_; }
  /// The states that its records are for.
  const broadcast_descriptors& states() const noexcept { return states_; }

 private:
  data_stream<T> stream_;
  broadcast_descriptors states_;
};

/// A stream without keys and a broadcast stream (Flink's BroadcastConnectedStream). Records of the
/// two come in no particular order.
template <class T, class B>
class broadcast_connected_stream {
 public:
  broadcast_connected_stream(const data_stream<T>& stream, const broadcast_stream<B>& broadcast)
      : streams_(stream, broadcast.stream()), states_(broadcast.states()) {}

  /// `fn` is as broadcast_process_function. What it emits is read off process_element; a generic
  /// one needs it: process<Out>(fn).
  template <class Out = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, processed_type<Fn>, Out>;
    constexpr bool fits =
        broadcast_element_function<Fn, T, broadcast_read_only_context, B, broadcast_context, out>;
    static_assert(fits,
                  "millrace: process beside a broadcast stream needs a function as "
                  "broadcast_process_function is (on a keyed stream "
                  "keyed_broadcast_process_function); if it is generic, say what comes out: "
                  "process<Out>(fn)");
    if constexpr (fits && check_record<out>() && check_copyable<Fn>())
      return streams_.template transform<out>(
          "broadcast_process", make_broadcast_process<T, B, out>(states_, std::move(fn)));
    else
      return streams_.template transform<T>("broadcast_process", nullptr);
  }

 private:
  detail::stream_pair<T, B> streams_;
  broadcast_descriptors states_;
};

/// A keyed stream and a broadcast stream.
template <class T, class KeyOf, class B>
class keyed_broadcast_connected_stream {
 public:
  /// The type of the keys.
  using key = key_type<T, KeyOf>;

  keyed_broadcast_connected_stream(const keyed_stream<T, KeyOf>& stream,
                                   const broadcast_stream<B>& broadcast)
      : streams_(stream, broadcast.stream()),
        states_(broadcast.states()),
        key_of_(stream.key_of()) {}

  /// `fn` is as keyed_broadcast_process_function. What it emits is read off process_element; a
  /// generic one needs it: process<Out>(fn).
  template <class Out = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, processed_type<Fn>, Out>;
    constexpr bool fits = broadcast_element_function<Fn, T, keyed_broadcast_read_only_context<key>,
                                                     B, keyed_broadcast_context<key>, out>;
    static_assert(fits,
                  "millrace: process of a keyed stream beside a broadcast stream needs a function "
                  "as keyed_broadcast_process_function is, with the stream's type of key; if it is "
                  "generic, say what comes out: process<Out>(fn)");
    if constexpr (fits && check_record<out>() && check_copyable<Fn>() &&
                  check_keyed_function<Fn, key, out, broadcast_timer_context<key>>())
      return streams_.template transform<out>(
          "broadcast_process",
          make_keyed_broadcast_process<T, B, out>(key_of_, states_, std::move(fn)));
    else
      return streams_.template transform<T>("broadcast_process", nullptr);
  }

 private:
  detail::stream_pair<T, B> streams_;
  broadcast_descriptors states_;
  KeyOf key_of_;
};

template <class T>
template <class... K, class... V>
broadcast_stream<T> data_stream<T>::broadcast(const map_state_descriptor<K, V>&... states) const
    requires(sizeof...(K) > 0) {
  broadcast_descriptors named;
  (named.add(states), ...);
  return {broadcast(), std::move(named)};
}

template <class T>
template <class U>
broadcast_connected_stream<T, U> data_stream<T>::connect(const broadcast_stream<U>& other) const {
  return {*this, other};
}

template <class T, class KeyOf>
template <class U>
keyed_broadcast_connected_stream<T, KeyOf, U> keyed_stream<T, KeyOf>::connect(
    const broadcast_stream<U>& other) const {
  return {*this, other};
}

}  // namespace millrace
