#pragma once

#include <functional>
#include <utility>

#include "millrace/operators/keyed_process.hpp"

// map, flat_map and filter with keyed state: their functions as process functions.

namespace millrace::detail {

template <class Fn>
struct mapping : opened_function<Fn> {
  template <class Row, class Context, class Out>
  void process_element(Row&& row, Context&, collector<Out>& out) {
    out.emit(std::invoke(this->fn, std::forward<Row>(row)));
  }
};

template <class Fn>
struct flat_mapping : opened_function<Fn> {
  template <class Row, class Context, class Out>
  void process_element(Row&& row, Context&, collector<Out>& out) {
    std::invoke(this->fn, std::forward<Row>(row), out);
  }
};

template <class Fn>
struct filtering : opened_function<Fn> {
  template <class Row, class Context, class Out>
  void process_element(Row&& row, Context&, collector<Out>& out) {
    if (std::invoke(this->fn, std::as_const(row))) out.emit(std::forward<Row>(row));
  }
};

}  // namespace millrace::detail
