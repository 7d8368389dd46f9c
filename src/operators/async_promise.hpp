#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// Any number of records as the result for one, where a function would else return the one.
template <class Out>
struct async_results {
  std::vector<Out> rows;  ///< In the order in which they are emitted.
};

/// The error that an exception stands for.
error error_of(std::exception_ptr thrown);

/// A value that somebody gives later, on any thread: hand copies to whatever a client library calls
/// back. The first call counts, later ones do nothing. When the last copy goes without one, the
/// value is an error that says so.
template <class T>
class async_promise {
 public:
  /// Gives the value.
  void complete(T value) const { handle_->settle(std::move(value)); }
  /// There is no value, for this reason.
  void fail(error why) const { handle_->settle(tl::unexpected(std::move(why))); }
  /// The same, with `errc::user_function`.
  void fail(std::string why) const { fail(error{errc::user_function, std::move(why)}); }
  /// The same for what was thrown; as error_of() reads it.
  void fail(std::exception_ptr thrown) const { fail(error_of(std::move(thrown))); }

  /// `then(result<T>)` is called in the executor's own context.
  template <class Then>
  static async_promise make(io_executor& io, Then then) {
    auto place = std::make_shared<std::optional<result<T>>>();
    auto settled =
        io.expect([place, then = std::move(then)]() mutable { then(std::move(**place)); });
    async_promise made;
    made.handle_ = std::make_shared<handle>(std::move(place), std::move(settled));
    return made;
  }

 private:
  class handle {
   public:
    handle(std::shared_ptr<std::optional<result<T>>> place, std::function<void()> settled)
        : place_(std::move(place)), settled_(std::move(settled)) {}
    ~handle() {
      settle(millrace::fail(errc::user_function,
                            "the function let go of its promise without giving a result"));
    }

    void settle(result<T> value) {
      if (is_settled_.test_and_set()) return;
      *place_ = std::move(value);
      place_.reset();  // the value is the executor's from now on
      settled_();
    }

   private:
    std::shared_ptr<std::optional<result<T>>> place_;
    std::function<void()> settled_;
    std::atomic_flag is_settled_;
  };

  std::shared_ptr<handle> handle_;
};

/// Where a callback-style async function puts the records for the one it was given (Flink's
/// ResultFuture). As async_promise: copyable, for any thread, and the first call counts.
template <class Out>
class result_future {
 public:
  /// What is completed in the end.
  explicit result_future(async_promise<std::vector<Out>> promise) : promise_(std::move(promise)) {}

  /// Exactly one record.
  void complete(Out row) const {
    std::vector<Out> rows;
    rows.push_back(std::move(row));
    promise_.complete(std::move(rows));
  }
  /// Any number of them, none too.
  void complete_all(std::vector<Out> rows) const { promise_.complete(std::move(rows)); }
  /// A std::string with the reason, an `error`, or the exception.
  template <class Why>
  void fail(Why why) const {
    promise_.fail(std::move(why));
  }

 private:
  async_promise<std::vector<Out>> promise_;
};

}  // namespace millrace
