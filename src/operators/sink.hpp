#pragma once

#include <concepts>
#include <memory>

#include "millrace/operators/committer_operator.hpp"
#include "millrace/operators/sink_writer_operator.hpp"

/// What `stream.sink_to(sink)` takes (Flink's Sink and TwoPhaseCommittingSink). The description of
/// a sink is copyable and const; its writers and committers are objects of each subtask:
///
///     struct my_sink {
///       using committable = my_committable;  // a record type, or millrace::no_committable
///       std::unique_ptr<sink_writer<T, committable>> create_writer(sink_writer_context&) const;
///       // optional:
///       std::shared_ptr<committer<committable>> create_committer(const committer_context&) const;
///       std::shared_ptr<global_committer<committable>> create_global_committer(
///           const committer_context&) const;
///       commit_retry_policy commit_retries() const;
///     };
namespace millrace {

/// A sink for records of type T.
template <class S, class T>
concept sink_of = std::copy_constructible<S> &&
    requires(const S& sink, sink_writer_context& context) {
  {
    sink.create_writer(context)
    } -> std::convertible_to<std::unique_ptr<sink_writer<T, typename S::committable>>>;
};

/// A sink whose subtasks commit.
template <class S>
concept committing_sink = requires(const S& sink, const committer_context& context) {
  {
    sink.create_committer(context)
    } -> std::convertible_to<std::shared_ptr<committer<typename S::committable>>>;
};

/// A sink that commits all that belongs to a checkpoint as a whole.
template <class S>
concept globally_committing_sink = requires(const S& sink, const committer_context& context) {
  {
    sink.create_global_committer(context)
    } -> std::convertible_to<std::shared_ptr<global_committer<typename S::committable>>>;
};

/// Says so where a sink has committables and nobody who commits them, or committers that would
/// never be called. For the API, as `check_record`.
template <class S>
consteval bool check_committers() {
  constexpr bool names_committer = requires {
    &S::create_committer;
  };
  constexpr bool names_global_committer = requires {
    &S::create_global_committer;
  };
  constexpr bool has_committables = !std::is_same_v<typename S::committable, no_committable>;
  static_assert(!names_committer || committing_sink<S>,
                "millrace: create_committer takes a `const committer_context&`, is const, and "
                "returns a std::shared_ptr<committer<committable>>");
  static_assert(!names_global_committer || globally_committing_sink<S>,
                "millrace: create_global_committer takes a `const committer_context&`, is const, "
                "and returns a std::shared_ptr<global_committer<committable>>");
  static_assert(has_committables == (committing_sink<S> || globally_committing_sink<S>),
                "millrace: a sink with a committable needs create_committer or "
                "create_global_committer; one without has `using committable = no_committable`");
  return has_committables == (committing_sink<S> || globally_committing_sink<S>);
}

/// The operators that a sink consists of, in their order.
struct sink_operators {
  operator_factory_ptr writer;            ///< Always there.
  operator_factory_ptr committer;         ///< Null if there is none.
  operator_factory_ptr global_committer;  ///< Null if there is none.
};

namespace detail {

template <class S>
commit_retry_policy retries_of(const S& sink) {
  if constexpr (requires { sink.commit_retries(); })
    return sink.commit_retries();
  else
    return {};
}

}  // namespace detail

/// The operators of a sink for records of type T.
template <class T, class S>
sink_operators make_sink_operators(const S& sink) {
  using committable = typename S::committable;
  sink_operators made;
  made.writer = make_sink_writer_operator<T, committable>(
      [sink](sink_writer_context& context) { return sink.create_writer(context); });
  if constexpr (committing_sink<S>) {
    made.committer = make_committer_operator<committable>(
        {.make =
             [sink](const committer_context& context) {
               const std::shared_ptr<committer<committable>> to = sink.create_committer(context);
               return calls_of(to);
             },
         .retries = detail::retries_of(sink)},
        globally_committing_sink<S>);
  }
  if constexpr (globally_committing_sink<S>) {
    made.global_committer = make_committer_operator<committable>(
        {.make =
             [sink](const committer_context& context) {
               const std::shared_ptr<global_committer<committable>> to =
                   sink.create_global_committer(context);
               return calls_of(to);
             },
         .retries = detail::retries_of(sink),
         .otherwise = commit_without_checkpoints::at_end_of_input},
        false);
  }
  return made;
}

}  // namespace millrace
