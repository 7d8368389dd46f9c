#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "millrace/source/boundedness.hpp"
#include "millrace/source/source_reader.hpp"
#include "millrace/source/split_enumerator.hpp"

namespace millrace {

/// Makes the enumerator of a source. Const and shared.
class enumerator_factory {
 public:
  virtual ~enumerator_factory() = default;
  /// For a source that starts afresh. `context` outlives what is made.
  virtual std::unique_ptr<split_enumerator_base> make_enumerator(
      enumerator_context& context) const = 0;
  /// `snapshot` is what encode_snapshot returned. Throws `failure` if it is none of this source.
  virtual std::unique_ptr<split_enumerator_base> remake_enumerator(enumerator_context& context,
                                                                   byte_view snapshot) const = 0;
};

/// A source of records of type T as the engine sees it: see source.
template <class T>
class source_base : public enumerator_factory {
 public:
  /// What its readers emit.
  using record = T;

  /// Whether all that it reads ends by itself.
  virtual boundedness ends() const noexcept = 0;
  /// False for one that can have a single reader only.
  virtual bool is_parallel() const noexcept { return true; }
  /// The reader of one subtask.
  virtual std::unique_ptr<source_reader_base<T>> make_reader(reader_context& context) const = 0;
};

/// What a connector reads from (Flink's Source): an enumerator that finds splits and readers that
/// read them. The object itself is only a description: const, shared by all, and made again on
/// every node by the job's `build`.
///
/// `T` is the type of the records, `Split` that of the splits, `State` that of the enumerator's
/// snapshots.
template <class T, source_split Split, encodable State = std::vector<Split>>
class source : public source_base<T> {
 public:
  /// What enumerator and readers exchange.
  using split_type = Split;
  /// What the enumerator's snapshots hold.
  using state_type = State;

  /// The reader of one subtask, which `context` outlives. Splits come later, by add_splits.
  virtual std::unique_ptr<source_reader<T, Split>> create_reader(reader_context& context) const = 0;
  /// An enumerator that starts afresh, which `context` outlives.
  virtual std::unique_ptr<split_enumerator<Split, State>> create_enumerator(
      enumerator_context& context) const = 0;
  /// An enumerator that goes on from a snapshot.
  virtual std::unique_ptr<split_enumerator<Split, State>> restore_enumerator(
      enumerator_context& context, State state) const = 0;

  std::unique_ptr<source_reader_base<T>> make_reader(reader_context& context) const final {
    return create_reader(context);
  }
  std::unique_ptr<split_enumerator_base> make_enumerator(enumerator_context& context) const final {
    return create_enumerator(context);
  }
  std::unique_ptr<split_enumerator_base> remake_enumerator(enumerator_context& context,
                                                           byte_view snapshot) const final {
    return restore_enumerator(context, decode_enumerator_state<State>(snapshot));
  }
};

}  // namespace millrace
