#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "millrace/operators/async_promise.hpp"
#include "millrace/operators/blocking_calls.hpp"
#include "millrace/stream/runtime_context.hpp"

namespace millrace {

/// A value that a coroutine has asked for, under way from then on: ask for several, then wait for
/// one after the other. When it goes, because the coroutine does, whatever comes finds nobody.
template <class T>
class async_value {
 public:
  async_value(async_value&&) noexcept = default;
  async_value& operator=(async_value&&) noexcept = default;

 private:
  friend class async_context;
  template <class>
  friend class async_task;

  struct content {
    std::optional<result<T>> value;
    std::coroutine_handle<> waits;
  };
  /// What the coroutine is suspended with. Trivial, as is good for objects in its frame.
  struct awaiter {
    content* from;

    bool await_ready() const noexcept { return from->value.has_value(); }
    void await_suspend(std::coroutine_handle<> who) const noexcept { from->waits = who; }
    T await_resume() const {
      auto& value = *from->value;
      if (!value) throw failure(value.error());
      if constexpr (!std::is_void_v<T>) return *std::move(value);
    }
  };

  async_value() = default;

  static void give(const std::weak_ptr<content>& to, result<T> value) {
    const auto alive = to.lock();
    if (!alive) return;
    alive->value = std::move(value);
    if (alive->waits) alive->waits.resume();
  }

  std::shared_ptr<content> content_ = std::make_shared<content>();
};

/// What an async function that is a coroutine can wait for. It runs in its task: between two waits
/// nothing else of the subtask runs, and its variables need no locks. Valid as long as the
/// coroutine.
///
/// Give what you wait for a name, `auto user = context.blocking(…); … co_await user`: GCC 12
/// destroys temporaries of a co_await expression twice, so that is all that compiles.
class async_context {
 public:
  /// All outlive this. Made by the operator for each subtask.
  async_context(runtime_context& runtime, io_executor& io, blocking_calls& calls)
      : runtime_(runtime), io_(io), calls_(calls) {}

  /// The value of `call()`, which runs on a thread where it may block. It must own what it touches.
  /// What it throws comes out of the wait.
  template <class Call>
  auto blocking(Call call) {
    using value = std::invoke_result_t<Call&>;
    async_value<value> made;
    const std::weak_ptr to = made.content_;
    auto place = std::make_shared<std::optional<result<value>>>();
    calls_.submit(
        to,
        [place, call = std::move(call)]() mutable {
          try {
            if constexpr (std::is_void_v<value>) {
              call();
              place->emplace();
            } else {
              place->emplace(call());
            }
          } catch (...) {
            *place = tl::unexpected(error_of(std::current_exception()));
          }
        },
        [place, to] { async_value<value>::give(to, std::move(**place)); });
    return made;
  }

  /// Calls `start(async_promise<T>)`, which hands the promise to a client library. A promised
  /// failure comes out of the wait.
  template <class T, class Start>
  async_value<T> promised(Start&& start) {
    async_value<T> made;
    start(async_promise<T>::make(io_, [to = std::weak_ptr(made.content_)](result<T> value) {
      async_value<T>::give(to, std::move(value));
    }));
    return made;
  }

  /// Who the operator is, and its metrics.
  runtime_context& runtime() noexcept { return runtime_; }

 private:
  runtime_context& runtime_;
  io_executor& io_;
  blocking_calls& calls_;
};

/// What an async function returns that is a coroutine: `co_await` values of its async_context,
/// `co_return` a record, or an async_results<Out> with any number. Begins when it is started; goes,
/// wherever it waits, with this object. Used in one task only.
template <class T>
class async_task {
 public:
  /// What the compiler makes a coroutine of: not for users.
  class promise_type {
   public:
    /// The task that the caller of the function gets.
    async_task get_return_object() {
      return async_task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    /// Nothing runs before start().
    std::suspend_always initial_suspend() const noexcept { return {}; }
    /// Hands the outcome over; the frame goes with the task, not by itself.
    auto final_suspend() const noexcept {
      struct teller {
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> who) const noexcept {
          who.promise().tell();
        }
        void await_resume() const noexcept {}
      };
      return teller{};
    }
    /// `co_return value`.
    void return_value(T value) { outcome_ = std::move(value); }
    /// What was thrown is the outcome, as error_of() reads it.
    void unhandled_exception() { outcome_ = tl::unexpected(error_of(std::current_exception())); }

    /// `co_await` of a named async_value: its value, or what it failed with as `failure`.
    template <class U>
    typename async_value<U>::awaiter await_transform(async_value<U>& what) noexcept {
      return {what.content_.get()};
    }
    /// Anything else does not compile.
    template <class Other>
    std::suspend_never await_transform(Other&&) {
      static_assert(!std::is_same_v<Other, Other>,
                    "millrace: an async_task can only wait for what its async_context offers, so "
                    "that it stays in its task, by a name: auto user = context.blocking(…); "
                    "co_await user. Wrap anything else with context.promised<T>(…)");
      return {};
    }

   private:
    friend class async_task;
    void tell() noexcept { then_(std::move(*outcome_)); }

    std::optional<result<T>> outcome_;
    std::function<void(result<T>)> then_;
  };

  /// Leaves an object behind that can only be destroyed.
  async_task(async_task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  async_task& operator=(async_task&&) = delete;
  ~async_task() {
    if (frame_) frame_.destroy();
  }

  /// Runs up to the first wait. `then` is called once, at the end, and must not throw or destroy
  /// this object.
  void start(std::function<void(result<T>)> then) {
    frame_.promise().then_ = std::move(then);
    frame_.resume();
  }

 private:
  explicit async_task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace millrace
