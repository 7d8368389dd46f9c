#pragma once

#include "millrace/operators/timed_rows.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

/// What `flat_map` takes: `fn(row, out)` puts any number of records into a `collector<Out>&`.
template <class Fn, class T, class Out>
concept flat_map_function = std::invocable < Fn&,
        const T&, collector<Out>
& > ;

/// Any number of records out for each record in: `fn(row, out)`.
template <class In, class Out, class Fn>
class flat_map_operator final : public function_operator<Fn, producing<Out>> {
 public:
  using function_operator<Fn, producing<Out>>::function_operator;

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    for_each_row<In>(rows, access, this->out_, [&]<class Row>(Row& row) {
      if constexpr (!std::is_const_v<Row> && std::invocable<Fn&, In, collector<Out>&>)
        std::invoke(fn, std::move(row), this->out_);
      else
        std::invoke(fn, std::as_const(row), this->out_);
    });
    this->out_.flush();
  }
};

/// A flat_map_operator for each subtask, with a copy of `fn` of its own.
template <class In, class Out, class Fn>
operator_factory_ptr make_flat_map(Fn fn) {
  return make_factory<In, Out>(
      [fn] { return std::make_unique<flat_map_operator<In, Out, Fn>>(fn); });
}

namespace detail {

template <class T>
struct collected {
  using type = void;
};
template <class T>
struct collected<collector<T>&> {
  using type = T;
};

template <std::size_t I, class... A>
consteval auto collected_of() {
  if constexpr (I < sizeof...(A))
    return std::type_identity<
        typename collected<std::tuple_element_t<I, std::tuple<A...>>>::type>{};
  else
    return std::type_identity<void>{};
}

/// The record type of the collector that is parameter `I` of a callable with one signature.
template <std::size_t I, class R, class... A>
auto collected_by(R (*)(A...)) -> decltype(collected_of<I, A...>());
template <std::size_t I, class R, class C, class... A>
auto collected_by(R (C::*)(A...)) -> decltype(collected_of<I, A...>());
template <std::size_t I, class R, class C, class... A>
auto collected_by(R (C::*)(A...) const) -> decltype(collected_of<I, A...>());
template <std::size_t I, class R, class C, class... A>
auto collected_by(R (C::*)(A...) noexcept) -> decltype(collected_of<I, A...>());
template <std::size_t I, class R, class C, class... A>
auto collected_by(R (C::*)(A...) const noexcept) -> decltype(collected_of<I, A...>());

template <class Fn, std::size_t I>
consteval auto find_collected() {
  if constexpr (requires { collected_by<I>(&Fn::operator()); })
    return decltype(collected_by<I>(&Fn::operator())){};
  else if constexpr (requires(Fn fn) { collected_by<I>(fn); })
    return decltype(collected_by<I>(std::declval<Fn>())){};
  else
    return std::type_identity<void>{};
}

}  // namespace detail

/// The `U` of the `collector<U>&` that a function takes as its parameter number `I`; void if that
/// is no collector, or if the function is generic or overloaded and does not tell.
template <class Fn, std::size_t I>
using collected_type = typename decltype(detail::find_collected<std::decay_t<Fn>, I>())::type;

}  // namespace millrace
