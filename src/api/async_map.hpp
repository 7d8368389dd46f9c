#pragma once

#include "millrace/api/data_stream.hpp"
#include "millrace/operators/async_operator.hpp"

namespace millrace {

template <class T>
template <class U, class Fn>
auto data_stream<T>::async_map(async_order order, Fn fn, const async_options& options) const {
  using out = std::conditional_t<std::is_void_v<U>, async_output<T, Fn>, U>;
  constexpr bool fits = blocking_async_function<Fn, T> || coroutine_async_function<Fn, T> ||
                        callback_async_function<Fn, T, out>;
  static_assert(fits,
                "millrace: async_map needs a function that takes `const T&` and returns a record "
                "(it may block, and must be callable while const), a coroutine that takes `const "
                "T&` and `async_context&` and returns an async_task<U>, or a function that takes "
                "`const T&` and `result_future<U>`; if it is generic, say what comes out: "
                "async_map_ordered<U>(fn)");
  if constexpr (!fits) {
    return transform<T>("async_map", nullptr);
  } else if constexpr (check_record<out>() && check_copyable<Fn>()) {
    if (auto ok = check_async_options(options); !ok)
      throw failure(ok.error().code, "async_map: " + ok.error().message);
    if (!options.retry.fits<out>())
      throw failure(errc::invalid_argument,
                    "async_map: the predicate of retry.if_result<T> is for another type than the "
                    "function's results");
    return transform<out>("async_map", make_async<T, out>(std::move(fn), order, options));
  } else {
    return transform<T>("async_map", nullptr);
  }
}

}  // namespace millrace
