#pragma once

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/api/stream_environment.hpp"
#include "millrace/state_processor/keyed_state_source.hpp"
#include "millrace/state_processor/operator_state_source.hpp"
#include "millrace/state_processor/state_readings.hpp"

namespace millrace {

/// Reads the state in a snapshot, a savepoint or a checkpoint that was retained, as bounded streams
/// (Flink's SavepointReader):
///
///     const auto saved = savepoint_reader::read(env, "/savepoints/savepoint-3f2a91-0c1d5b7790aa");
///     const value_state_descriptor<std::int64_t> visits("visits");
///     saved.read_keyed_state<std::string>("visits", visits)
///         .filter([](const auto& each) { return each.second > 1000; })
///         .print();
///
/// Operators are found by their uid. The snapshot is read when the job runs, in parallel, whatever
/// parallelism and state backend it was taken with; what is wrong with it, or with what was asked
/// of it, fails the job with operator, state and what to do.
class savepoint_reader {
 public:
  /// `path` is a snapshot's directory, or the metadata file in it, which all nodes see. The
  /// environment outlives the reader.
  static savepoint_reader read(stream_environment& env, std::string path) {
    return savepoint_reader(env, std::move(path));
  }

  /// All keyed state of an operator, by a function as keyed_state_reader_function is: what it puts
  /// out for each key.
  template <reads_keys Fn>
  auto read_keyed_state(const std::string& uid, Fn fn) const {
    using types = decltype(detail::reader_types(&Fn::read_key));
    using key = typename types::first_type;
    using out = typename types::second_type;
    static_cast<void>(check_record<out>() && check_copyable<Fn>() &&
                      check_keyed_function<Fn, key, out>());
    return keyed<key, out>(uid, std::move(fn));
  }

  /// One state of an operator, by the descriptor that the job has: pairs of a key and its value,
  /// its list or its result; of a map, tuples of a key and an entry's key and value. With a
  /// `folded_state<T>()`, what reduce, sum, min, max, min_by or max_by has kept of records of type
  /// T.
  template <class Key, class Descriptor>
  requires requires(const Descriptor& d) { detail::reading_of<Key>(d); }
  auto read_keyed_state(const std::string& uid, const Descriptor& descriptor) const {
    auto fn = detail::reading_of<Key>(descriptor);
    using types = decltype(detail::reader_types(&decltype(fn)::read_key));
    return keyed<Key, typename types::second_type>(uid, std::move(fn));
  }

  /// A list state of an operator that belongs to no key: the elements of all subtasks.
  template <class T>
  single_output<T> read_list_state(const std::string& uid,
                                   const list_state_descriptor<T>& state) const {
    return of_subtasks<std::vector<T>>(uid, state.name(), operator_state_mode::split,
                                       detail::list_elements<T>{state});
  }
  /// The same for a union list state: what each subtask had, so that elements that all of them have
  /// come as often as there are subtasks.
  template <class T>
  single_output<T> read_union_state(const std::string& uid,
                                    const list_state_descriptor<T>& state) const {
    return of_subtasks<std::vector<T>>(uid, state.name(), operator_state_mode::unite,
                                       detail::union_elements<T>{state});
  }
  /// The entries of a broadcast state, of which all subtasks have the same.
  template <class K, class V>
  single_output<std::pair<K, V>> read_broadcast_state(
      const std::string& uid, const map_state_descriptor<K, V>& state) const {
    return of_subtasks<std::map<K, V>>(uid, state.name(), operator_state_mode::broadcast,
                                       detail::broadcast_elements<K, V>{state});
  }

 private:
  savepoint_reader(stream_environment& env, std::string path)
      : env_(&env), path_(std::move(path)) {}

  template <class Key, class Out, class Fn>
  single_output<Out> keyed(const std::string& uid, Fn fn) const {
    return env_->from_source(
        std::shared_ptr<const source_base<Out>>(std::make_shared<keyed_state_source<Key, Out, Fn>>(
            saved_state_query{path_, uid}, std::move(fn))),
        "keyed state of " + uid);
  }

  template <class Container, class Elements>
  auto of_subtasks(const std::string& uid, const std::string& name, operator_state_mode mode,
                   Elements elements) const {
    using record = typename Elements::record;
    const auto type = fingerprint_of_stored<Container>();
    const saved_state_query query{path_, uid, saved_state_query::operator_state{name, mode, type}};
    return env_->from_source(
        std::shared_ptr<const source_base<record>>(
            std::make_shared<operator_state_source<Elements>>(query, std::move(elements))),
        name + " of " + uid);
  }

  stream_environment* env_;
  std::string path_;
};

}  // namespace millrace
