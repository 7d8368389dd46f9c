#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/core/known_types.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/redistribution.hpp"
#include "millrace/state/state_descriptor.hpp"

/// State of an operator's subtask that belongs to no key: offsets of a source, rows a sink has not
/// written yet, rules that were broadcast. Lives in memory, whatever the backend.
namespace millrace {

/// A list that is split when the parallelism changes (`operator_list_state`), or given whole to
/// every subtask (union). A cheap handle, valid from open() to close().
template <class T>
class operator_list_state {
 public:
  /// To be assigned in open(); must not be used before.
  operator_list_state() = default;
  /// Of an operator_state_backend, which outlives the handle.
  explicit operator_list_state(std::vector<T>& elements) : elements_(&elements) {}

  /// The subtask's elements, in order. Valid until the state is changed.
  const std::vector<T>& get() const { return *elements_; }
  /// Appends one.
  void add(T added) const { elements_->push_back(std::move(added)); }
  /// Appends all, in their order.
  void add_all(std::vector<T> added) const {
    elements_->insert(elements_->end(), std::make_move_iterator(added.begin()),
                      std::make_move_iterator(added.end()));
  }
  /// Replaces all.
  void update(std::vector<T> elements) const { *elements_ = std::move(elements); }
  /// Removes all.
  void clear() const { elements_->clear(); }

 private:
  std::vector<T>* elements_ = nullptr;
};

/// A broadcast_state for those who must not change it (Flink's ReadOnlyBroadcastState).
template <class K, class V>
class read_only_broadcast_state {
 public:
  /// Ordered by key.
  using map = std::map<K, V>;

  /// To be assigned in open(); must not be used before.
  read_only_broadcast_state() = default;
  /// Of an operator_state_backend, which outlives the handle.
  explicit read_only_broadcast_state(map& entries) : entries_(&entries) {}

  /// Null if there is no such entry. Valid until the state is changed.
  const V* get(const K& key) const {
    const auto found = entries_->find(key);
    return found == entries_->end() ? nullptr : &found->second;
  }
  /// Whether there is such an entry.
  bool contains(const K& key) const { return entries_->contains(key); }
  /// All entries, in the order of their keys. Valid until the state is changed.
  const map& entries() const { return *entries_; }
  /// Whether there is no entry.
  bool is_empty() const { return entries_->empty(); }

 protected:
  /// The backend's; null until the handle is assigned.
  map* entries_ = nullptr;
};

/// A map of which every subtask has the same copy. Nobody checks that: all subtasks must make the
/// same changes, which they do if only broadcast records cause them. Kept in the order of the keys,
/// so that all iterate alike. A cheap handle, valid from open() to close().
template <class K, class V>
class broadcast_state : public read_only_broadcast_state<K, V> {
 public:
  using read_only_broadcast_state<K, V>::read_only_broadcast_state;

  /// Makes the entry or replaces its value.
  void put(const K& key, V value) const { this->entries_->insert_or_assign(key, std::move(value)); }
  /// Whether there was such an entry.
  bool remove(const K& key) const { return this->entries_->erase(key) == 1; }
  /// Removes all entries.
  void clear() const { this->entries_->clear(); }
};

/// The operator state of one subtask, owned by its task. A state exists from the first time it is
/// asked for; what a snapshot has of others is kept and part of later snapshots, but for what other
/// subtasks have saved of a union list, and save again.
class operator_state_backend {
 public:
  /// `operator_name` is for errors.
  explicit operator_state_backend(std::string operator_name)
      : operator_name_(std::move(operator_name)) {}

  /// Elements are dealt out to the subtasks anew when the parallelism changes. All throw `failure`
  /// if the name is in use for something else, or was in the snapshot; an empty list fits any type
  /// of elements.
  template <class T>
  operator_list_state<T> get_list_state(const list_state_descriptor<T>& descriptor) {
    return list_of(descriptor, operator_state_mode::split);
  }
  /// After a restore every subtask has the elements of all subtasks, whose order is that of the
  /// subtasks.
  template <class T>
  operator_list_state<T> get_union_list_state(const list_state_descriptor<T>& descriptor) {
    return list_of(descriptor, operator_state_mode::unite);
  }
  /// A map of which every subtask restores a copy, those that are new one of another subtask. Where
  /// there are copies by types old and new, it is the newest: subtasks that have the older ones did
  /// not ask for the state, and change nothing in it.
  template <class K, class V>
  broadcast_state<K, V> get_broadcast_state(const map_state_descriptor<K, V>& descriptor) {
    using map = std::map<K, V>;
    return broadcast_state<K, V>(get<map>(
        descriptor.name(), operator_state_mode::broadcast, fingerprint_of_stored<map>(),
        [](const map& entries) {
          std::vector<std::vector<std::byte>> encoded;
          for (const auto& [key, value] : entries) {
            byte_writer out;
            encode(out, key, value);
            encoded.push_back(std::move(out).take());
          }
          return encoded;
        },
        [](map& entries, byte_view bytes) {
          K key{};
          V value{};
          auto good = decode_bytes_into(bytes, key, value);
          if (good) entries.insert_or_assign(std::move(key), std::move(value));
          return good;
        }));
  }

  /// By name; what nobody asked for may be there several times, by types old and new.
  std::vector<saved_operator_state> snapshot() const;
  /// Adds what `redistribute` gave to this subtask.
  status restore(const std::vector<saved_operator_state>& saved);

 private:
  /// One state, whatever its type.
  struct state {
    operator_state_mode mode = operator_state_mode::split;
    std::uint64_t type = 0;
    std::shared_ptr<void> content;
    const std::type_info* cpp_type = nullptr;
    std::function<std::vector<std::vector<std::byte>>()> save;
    std::function<status(byte_view)> add;
  };

  template <class T>
  operator_list_state<T> list_of(const list_state_descriptor<T>& descriptor,
                                 operator_state_mode mode) {
    using list = std::vector<T>;
    return operator_list_state<T>(get<list>(
        descriptor.name(), mode, fingerprint_of_stored<list>(),
        [](const list& elements) {
          std::vector<std::vector<std::byte>> encoded;
          for (const T& each : elements) encoded.push_back(encode_to_bytes(each));
          return encoded;
        },
        [](list& elements, byte_view bytes) {
          T each{};
          auto good = decode_bytes_into(bytes, each);
          if (good) elements.push_back(std::move(each));
          return good;
        }));
  }

  template <class Content, class Save, class Add>
  Content& get(const std::string& name, operator_state_mode mode, std::uint64_t type, Save save,
               Add add) {
    state* found = find(name, mode, type, typeid(Content));
    if (found == nullptr) {
      auto content = std::make_shared<Content>();
      auto& kept = *content;
      found = &insert(name, {mode, type, std::move(content), &typeid(Content),
                             [&kept, save] { return save(kept); },
                             [&kept, add](byte_view bytes) { return status(add(kept, bytes)); }});
    }
    return *static_cast<Content*>(found->content.get());
  }

  state* find(const std::string& name, operator_state_mode mode, std::uint64_t type,
              const std::type_info& cpp_type);
  state& insert(const std::string& name, state made);
  /// All that was kept for it.
  status give_unclaimed(const std::string& name, state& to);
  status give(const std::string& name, state& to, const saved_operator_state& saved) const;
  std::string subject(const std::string& name) const;

  std::string operator_name_;
  std::map<std::string, state> states_;
  std::multimap<std::string, saved_operator_state> unclaimed_;  // by name, else as it came
};

}  // namespace millrace
