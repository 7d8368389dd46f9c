#pragma once

#include <utility>

#include "millrace/operators/broadcast_process_function.hpp"
#include "millrace/operators/keyed_process.hpp"
#include "millrace/operators/process.hpp"

namespace millrace {

/// A stream without keys and a broadcast stream (Flink's CoBroadcastWithNonKeyedOperator).
template <class T, class B, class Out, class Fn>
class broadcast_process_operator final : public process_base<Out, Fn, broadcast_read_only_context> {
  using base = process_base<Out, Fn, broadcast_read_only_context>;

 public:
  broadcast_process_operator(broadcast_descriptors states, Fn fn)
      : base(std::move(fn)), states_(std::move(states)) {}

  void open(operator_context& context) override {
    states_.open(context);
    this->now_.bind(states_);
    broadcast_now_.open(context, this->side_);
    broadcast_now_.bind(states_);
    base::open(context);
  }

  void process(std::size_t input, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    if (input == 0)
      this->template process_rows<T>(rows, access, [&](auto&& row, auto& now) {
        fn.process_element(std::forward<decltype(row)>(row), now, this->out_);
      });
    else
      this->template process_rows<B>(rows, access, broadcast_now_, [&](auto&& row, auto& now) {
        fn.process_broadcast_element(std::forward<decltype(row)>(row), now, this->out_);
      });
  }

  void on_watermark(timestamp_ms at) override {
    broadcast_now_.set_watermark(at);
    base::on_watermark(at);
  }

 private:
  // -- checkpointed, the same in all subtasks
  broadcast_states states_;
  // -- not checkpointed
  broadcast_context broadcast_now_;
};

/// A keyed stream and a broadcast stream (Flink's CoBroadcastWithKeyedOperator).
template <class T, class B, class Out, class KeyOf, class Fn>
class keyed_broadcast_process_operator final
    : public keyed_process_base<key_type<T, KeyOf>, Out, Fn,
                                broadcast_timer_context<key_type<T, KeyOf>>> {
  using key = key_type<T, KeyOf>;
  using base = keyed_process_base<key, Out, Fn, broadcast_timer_context<key>>;

 public:
  keyed_broadcast_process_operator(KeyOf key_of, broadcast_descriptors states, Fn fn)
      : base(std::move(fn)), block_(std::move(key_of)), states_(std::move(states)) {}

  void open(operator_context& context) override {
    states_.open(context);
    this->now_.bind(states_);
    base::open(context);
    broadcast_now_.open(context, this->side_);
    broadcast_now_.bind(states_, *this->state_);
  }

  void process(std::size_t input, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    if (input == 0) {
      this->process_rows(rows, access, block_,
                         [&](auto&& row, keyed_broadcast_read_only_context<key>& now) {
                           fn.process_element(std::forward<decltype(row)>(row), now, this->out_);
                         });
      return;
    }
    this->state_->set_has_key(false);
    for_each_row<B>(rows, access, this->out_, broadcast_now_, [&](auto&& row, auto& now) {
      fn.process_broadcast_element(std::forward<decltype(row)>(row), now, this->out_);
    });
    this->state_->set_has_key(true);
    this->end_call();
  }

  void on_watermark(timestamp_ms at) override {
    broadcast_now_.set_watermark(at);
    base::on_watermark(at);
  }

 private:
  key_block<T, KeyOf> block_;
  // -- checkpointed, the same in all subtasks
  broadcast_states states_;
  // -- not checkpointed
  keyed_broadcast_context<key> broadcast_now_;
};

template <class T, class B, class Out, class Fn>
operator_factory_ptr make_broadcast_process(broadcast_descriptors states, Fn fn) {
  return make_two_input_factory<T, B, Out>([states = std::move(states), fn = std::move(fn)] {
    return std::make_unique<broadcast_process_operator<T, B, Out, Fn>>(states, fn);
  });
}

template <class T, class B, class Out, class KeyOf, class Fn>
operator_factory_ptr make_keyed_broadcast_process(KeyOf key_of, broadcast_descriptors states,
                                                  Fn fn) {
  return make_two_input_factory<T, B, Out>([key_of, states = std::move(states), fn] {
    return std::make_unique<keyed_broadcast_process_operator<T, B, Out, KeyOf, Fn>>(key_of, states,
                                                                                    fn);
  });
}

}  // namespace millrace
