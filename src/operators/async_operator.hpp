#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/operators/async_function.hpp"
#include "millrace/operators/async_schedule.hpp"
#include "millrace/operators/timed_rows.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// A record whose result was not emitted yet: what a checkpoint keeps of an async operator.
template <class In>
struct pending_request {
  In row;
  timestamp_ms timestamp = no_timestamp;
};

/// Asks something else about each record and emits what it says (Flink's AsyncWaitOperator).
///
/// A batch's records all enter the schedule; at most `capacity` of them are asked for at a time,
/// and while there are so many the operator is busy, so that the task takes nothing more.
/// Watermarks and statuses go through the schedule, too. Results come by completions of I/O, which
/// only note them; emitting waits for the next step in which the output has room.
///
/// Checkpointed: the records under way, also those whose results have not left, which are asked for
/// again after a restart: a barrier that has come here waits for no answer. (Aligned ones come
/// behind the records at the input, which a full operator does not take.)
template <class In, class Out, class Fn>
class async_operator final : public producing<Out> {
 public:
  async_operator(Fn fn, async_order order, const async_options& options)
      : options_(options),
        schedule_(order, options.capacity, options.timeout),
        fn_(std::make_shared<held_function>(std::move(fn))) {}

  void open(operator_context& context) override {
    context_ = &context;
    calls_.open(context.io(), options_.threads);
    coroutines_.emplace(context.runtime(), context.io(), calls_);
    fn_->fn.open(context);
    kept_ = context.operator_state().get_list_state(
        list_state_descriptor<pending_request<In>>("requests under way"));
    if (!kept_.get().empty()) resubmit(kept_.get());
  }

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& in = typed<In>(rows);
    for (std::size_t i = 0; i < in.rows.size(); ++i)
      add(access == rows_access::exclusive ? In(std::move(in.rows[i])) : In(in.rows[i]),
          in.timestamp_of(i));
    go_on();
  }

  void on_watermark(timestamp_ms at) override {
    schedule_.add_control(watermark{at});
    go_on();
  }
  void on_status(stream_status now) override {
    schedule_.add_control(now);
    go_on();
  }
  void on_processing_time(timestamp_ms) override { go_on(); }

  void end_input(std::size_t) override { input_ended_ = true; }
  bool is_busy() const noexcept override {
    return input_ended_ ? !schedule_.is_empty() : schedule_.is_full();
  }
  /// What it waits for is in the snapshot, so an answer that never comes does not keep checkpoints
  /// from being taken. At the end of the input nothing may be left to be asked.
  bool lets_barriers_pass() const noexcept override { return !input_ended_; }
  bool holds_records() const noexcept override { return !schedule_.is_empty(); }
  void snapshot_state(checkpoint_id) override { kept_.update(pending()); }
  bool finish() override {
    if (!schedule_.is_empty()) return false;
    // A call that nobody waits for may still use the function; then it is closed behind it.
    if (calls_.running() == 0) fn_->fn.finish();
    return true;
  }
  void close() noexcept override {
    requests_.clear();
    fn_.reset();
  }

  /// The records under way, in the order in which they came.
  std::vector<pending_request<In>> pending() const {
    std::vector<pending_request<In>> all;
    for (const auto& [id, r] : requests_) all.push_back({*r.row, r.timestamp});
    return all;
  }
  /// Asks again for what `pending` has returned; after open(), before the first record.
  void resubmit(std::vector<pending_request<In>> again) {
    for (auto& r : again) add(std::move(r.row), r.timestamp);
    context_->wake_at(context_->time().now());
  }

 private:
  using request_id = async_schedule::request_id;
  using outcome = result<std::vector<Out>>;

  /// Closed when the last call is through, on whatever thread.
  struct held_function {
    explicit held_function(Fn f) : fn(std::move(f)) {}
    ~held_function() { fn.close(); }
    user_function<Fn> fn;
  };
  struct request {
    std::shared_ptr<const In> row;
    timestamp_ms timestamp = no_timestamp;
    std::uint32_t attempts = 0;
    std::vector<Out> results;
    std::shared_ptr<void> call;  ///< The attempt under way; gone when nobody waits for it.
  };

  static std::vector<Out> rows_of_result(Out row) {
    std::vector<Out> rows;
    rows.push_back(std::move(row));
    return rows;
  }
  static std::vector<Out> rows_of_result(async_results<Out> results) {
    return std::move(results.rows);
  }

  void add(In row, timestamp_ms timestamp) {
    requests_[schedule_.add_request()] = {
        std::make_shared<const In>(std::move(row)), timestamp, 0, {}, nullptr};
  }

  /// Everything that can be done now.
  void go_on() {
    const auto now = context_->time().now();
    while (const auto late = schedule_.next_overdue(now)) time_out(*late);
    emit();
    while (const auto next = schedule_.next_to_start(now)) {
      start(*next);
      emit();  // it may have been answered at once, which makes room
    }
    this->out_.flush();
    if (const auto when = schedule_.next_event()) context_->wake_at(*when);
  }

  void emit() {
    if (failure_) throw failure(*failure_);
    while (const auto next = schedule_.next_to_leave()) {
      if (const auto* id = std::get_if<request_id>(&*next)) {
        auto left = requests_.extract(*id);
        this->out_.set_timestamp(left.mapped().timestamp);
        for (auto& row : left.mapped().results) this->out_.emit(std::move(row));
      } else {
        this->out_.flush();
        if (const auto* time = std::get_if<watermark>(&*next))
          this->forwarded().push_watermark(time->at);
        else
          this->forwarded().push_status(std::get<stream_status>(*next));
      }
    }
  }

  void start(request_id id) {
    auto& r = requests_.at(id);
    ++r.attempts;
    if constexpr (blocking_async_function<Fn, In>)
      start_blocking(id, r);
    else if constexpr (coroutine_async_function<Fn, In>)
      start_coroutine(id, r);
    else
      start_callback(id, r);
  }

  void start_blocking(request_id id, request& r) {
    auto place = std::make_shared<outcome>();
    r.call = place;
    calls_.submit(
        r.call,
        [place, row = r.row, fn = fn_] {
          try {
            *place = rows_of_result(std::invoke(*std::as_const(fn->fn), *row));
          } catch (...) {
            *place = tl::unexpected(error_of(std::current_exception()));
          }
        },
        [this, id, place] { settle(id, place, std::move(*place)); });
  }

  void start_coroutine(request_id id, request& r) {
    using task = std::invoke_result_t<Fn&, const In&, async_context&>;
    auto call = std::make_shared<task>(std::invoke(*fn_->fn, *r.row, *coroutines_));
    r.call = call;
    // Not owned by what the coroutine holds, or it would never go.
    call->start([this, id, who = call.get()](auto returned) {
      const auto found = requests_.find(id);
      if (found == requests_.end() || found->second.call.get() != who) return;
      settle(id, found->second.call,
             std::move(returned).map([](auto value) { return rows_of_result(std::move(value)); }));
    });
  }

  void start_callback(request_id id, request& r) {
    const auto call = std::make_shared<char>();
    r.call = call;
    auto promise = async_promise<std::vector<Out>>::make(
        context_->io(), [this, id, call](outcome what) { settle(id, call, std::move(what)); });
    std::invoke(*fn_->fn, *r.row, result_future<Out>(std::move(promise)));
  }

  /// What an attempt came to. Those that were given up have nothing to say.
  void settle(request_id id, const std::shared_ptr<void>& call, outcome what) {
    const auto found = requests_.find(id);
    if (found == requests_.end() || found->second.call != call) return;
    auto& r = found->second;
    const auto now = context_->time().now();
    context_->wake_at(now);
    if (wants_another(r, what)) {
      schedule_.retry_at(id, now + options_.retry.delay_after(r.attempts));
    } else if (!what) {
      if (!failure_) failure_ = failed(r, what.error());
    } else {
      r.results = *std::move(what);
      schedule_.complete(id);
    }
  }

  /// A coroutine that ends can't let an exception of the user's predicate out.
  bool wants_another(const request& r, outcome& what) noexcept {
    try {
      return options_.retry.wants_another(r.attempts, what);
    } catch (...) {
      what = tl::unexpected(error_of(std::current_exception()));
      return false;
    }
  }

  void time_out(request_id id) {
    auto& r = requests_.at(id);
    r.call.reset();
    if constexpr (handles_timeout<Fn, In>) {
      r.results = rows_of_result((*fn_->fn).timeout(*r.row));
      schedule_.complete(id);
    } else {
      throw failure(errc::timeout,
                    "there was no result for a record within " +
                        std::to_string(options_.timeout.count()) + " ms" + attempts_text(r) +
                        ": allow more time, ask for less at a time (capacity), or say what to do "
                        "with such records (with_timeout_handler)");
    }
  }

  static error failed(const request& r, const error& why) {
    return {why.code, "the request for a record failed" + attempts_text(r) + ": " + why.message};
  }
  static std::string attempts_text(const request& r) {
    return r.attempts > 1 ? " in " + std::to_string(r.attempts) + " attempts" : "";
  }

  const async_options options_;
  operator_context* context_ = nullptr;
  async_schedule schedule_;
  blocking_calls calls_;
  std::optional<async_context> coroutines_;
  std::shared_ptr<held_function> fn_;
  std::map<request_id, request> requests_;  // after what its coroutines use
  std::optional<error> failure_;
  operator_list_state<pending_request<In>> kept_;
  bool input_ended_ = false;
};

template <class In, class Out, class Fn>
operator_factory_ptr make_async(Fn fn, async_order order, const async_options& options) {
  return make_factory<In, Out>([fn, order, options] {
    return std::make_unique<async_operator<In, Out, Fn>>(fn, order, options);
  });
}

}  // namespace millrace
