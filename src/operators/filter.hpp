#pragma once

#include "millrace/operators/timed_rows.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

/// What `filter` takes: says of a record whether it stays.
template <class Fn, class T>
concept filter_function = std::predicate<Fn&, const T&>;

/// The records for which `Fn` is true.
template <class T, class Fn>
class filter_operator final : public function_operator<Fn, producing<T>> {
 public:
  using function_operator<Fn, producing<T>>::function_operator;

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& in = rows_of<T>(rows);
    std::size_t kept = 0;
    while (kept < in.size() && keeps(in[kept])) ++kept;
    if (kept == in.size()) return this->out_.target().push(rows, access);
    if (access == rows_access::exclusive)
      close_gaps(rows, kept);
    else
      copy_kept(rows, kept);
  }

 private:
  bool keeps(const T& row) { return static_cast<bool>(std::invoke(*this->fn_, row)); }

  /// Row `kept` is the first to go: moves those that stay together, and the batch itself moves on.
  void close_gaps(batch& rows, std::size_t kept) {
    auto& in = rows_of<T>(rows);
    auto& timestamps = timestamps_of<T>(rows);
    const bool is_timed = !timestamps.empty();
    for (std::size_t i = kept + 1; i < in.size(); ++i) {
      if (!keeps(in[i])) continue;
      if (is_timed) timestamps[kept] = timestamps[i];
      in[kept++] = std::move(in[i]);
    }
    in.erase(in.begin() + static_cast<std::ptrdiff_t>(kept), in.end());
    if (is_timed) timestamps.resize(kept);
    if (!in.empty()) this->out_.target().push(rows, rows_access::exclusive);
  }

  /// The same for rows that others look at, too: the first `kept` are known to stay.
  void copy_kept(batch& rows, std::size_t kept) {
    std::size_t next = 0;
    for_each_row<T>(rows, rows_access::shared, this->out_, [&](const T& row) {
      const auto i = next++;
      if (i < kept || (i > kept && keeps(row))) this->out_.emit(row);
    });
    this->out_.flush();
  }
};

/// A filter_operator for each subtask, with a copy of `fn` of its own.
template <class T, class Fn>
operator_factory_ptr make_filter(Fn fn) {
  return make_factory<T, T>([fn] { return std::make_unique<filter_operator<T, Fn>>(fn); });
}

}  // namespace millrace
