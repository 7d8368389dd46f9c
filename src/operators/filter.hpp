#pragma once

#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

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
      close_gaps(in, kept, rows);
    else
      copy_kept(in, kept);
  }

 private:
  bool keeps(const T& row) { return static_cast<bool>(std::invoke(*this->fn_, row)); }

  /// Row `kept` is the first to go: moves those that stay together, and the batch itself moves on.
  void close_gaps(row_vector<T>& in, std::size_t kept, batch& rows) {
    for (std::size_t i = kept + 1; i < in.size(); ++i) {
      if (keeps(in[i])) in[kept++] = std::move(in[i]);
    }
    in.erase(in.begin() + static_cast<std::ptrdiff_t>(kept), in.end());
    if (!in.empty()) this->out_.target().push(rows, rows_access::exclusive);
  }

  void copy_kept(const row_vector<T>& in, std::size_t kept) {
    for (std::size_t i = 0; i < kept; ++i) this->out_.emit(in[i]);
    for (std::size_t i = kept + 1; i < in.size(); ++i) {
      if (keeps(in[i])) this->out_.emit(in[i]);
    }
    this->out_.flush();
  }
};

template <class T, class Fn>
std::shared_ptr<const operator_factory> make_filter(Fn fn) {
  return make_factory<T, T>([fn] { return std::make_unique<filter_operator<T, Fn>>(fn); });
}

}  // namespace millrace
