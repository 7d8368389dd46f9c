#pragma once

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "millrace/core/assert.hpp"

/// Handles to keyed state: what a function holds. Cheap to copy, valid from open() to close(), used
/// only in the operator's task. They act on the operator's current key; in open() there is none.
///
/// References and pointers that a handle gives out point into the backend. They are valid until the
/// same state is used again or the key changes, whichever comes first.
namespace millrace {

/// What a backend implements for each kind of state; functions use the handles below.
template <class T>
class value_state_access {
 public:
  virtual ~value_state_access() = default;
  /// See value_state::find.
  virtual const T* find() = 0;
  /// What the descriptor gives keys without a value.
  virtual const T& initial() const noexcept = 0;
  /// See value_state::get_or_default.
  virtual T& get_or_default() = 0;
  /// See value_state::find_in_place.
  virtual T* find_in_place() = 0;
  /// See value_state::update.
  virtual void update(T value) = 0;
  /// See value_state::clear.
  virtual void clear() = 0;
};

/// The same for lists.
template <class T>
class list_state_access {
 public:
  virtual ~list_state_access() = default;
  /// See list_state::get.
  virtual const std::vector<T>& get() = 0;
  /// See list_state::add.
  virtual void add(T added) = 0;
  /// See list_state::add_all.
  virtual void add_all(std::vector<T> elements) = 0;
  /// See list_state::update.
  virtual void update(std::vector<T> elements) = 0;
  /// See list_state::clear.
  virtual void clear() = 0;
};

/// The same for maps.
template <class K, class V>
class map_state_access {
 public:
  virtual ~map_state_access() = default;
  /// See map_state::get.
  virtual const V* get(const K& key) = 0;
  /// See map_state::get_or_default.
  virtual V& get_or_default(const K& key) = 0;
  /// See map_state::put.
  virtual void put(const K& key, V value) = 0;
  /// See map_state::remove.
  virtual bool remove(const K& key) = 0;
  /// See map_state::for_each.
  virtual void for_each(const std::function<void(const K&, const V&)>& visit) = 0;
  /// See map_state::is_empty.
  virtual bool is_empty() = 0;
  /// See map_state::clear.
  virtual void clear() = 0;
};

/// The same for aggregates.
template <class In, class Out>
class aggregating_state_access {
 public:
  virtual ~aggregating_state_access() = default;
  /// See aggregating_state::get.
  virtual std::optional<Out> get() = 0;
  /// See aggregating_state::add.
  virtual void add(const In& value) = 0;
  /// See aggregating_state::clear.
  virtual void clear() = 0;
};

/// The same for values that are reduced.
template <class T>
class reducing_state_access {
 public:
  virtual ~reducing_state_access() = default;
  /// See reducing_state::get.
  virtual const T* get() = 0;
  /// See reducing_state::add.
  virtual void add(const T& value) = 0;
  /// See reducing_state::clear.
  virtual void clear() = 0;
};

/// A pointer that a default-constructed handle lacks.
template <class Access>
class state_handle {
 public:
  /// To be assigned in open(). Using it before that is an error of the program, which ends it.
  state_handle() = default;
  /// Of a backend, which outlives the handle's use.
  explicit state_handle(Access& access) : access_(&access) {}

  /// False for a handle that was not taken from a context.
  explicit operator bool() const noexcept { return access_ != nullptr; }

 protected:
  /// What the handle stands for. There must be something.
  Access& access() const {
    MILLRACE_ASSERT(access_ != nullptr, "a state is used that was not taken from a context");
    return *access_;
  }

 private:
  Access* access_ = nullptr;
};

/// One value per key.
template <class T>
class value_state : public state_handle<value_state_access<T>> {
 public:
  using state_handle<value_state_access<T>>::state_handle;

  /// The key's value, or the descriptor's initial one.
  const T& value() const {
    const T* found = this->access().find();
    return found != nullptr ? *found : this->access().initial();
  }
  /// Null if the key has no value.
  const T* find() const { return this->access().find(); }
  /// Whether the key has a value of its own.
  bool has_value() const { return find() != nullptr; }
  /// The value itself, to be changed in place; made from the initial one if there is none. The
  /// fastest way to read, modify and write. Counts as a write even if nothing is changed.
  T& get_or_default() const { return this->access().get_or_default(); }
  /// For operators that work on many keys at once: the value itself, which stays where it is until
  /// one of this state is made or removed, for whatever key. Null if there is none, or if the
  /// backend moves values at other times or gives them a time to live.
  T* find_in_place() const { return this->access().find_in_place(); }
  /// Sets the key's value.
  void update(T value) const { this->access().update(std::move(value)); }
  /// The key has no value from then on.
  void clear() const { this->access().clear(); }
};

/// A list per key. A key without elements has the empty list.
template <class T>
class list_state : public state_handle<list_state_access<T>> {
 public:
  using state_handle<list_state_access<T>>::state_handle;

  /// All elements, in the order in which they were added.
  const std::vector<T>& get() const { return this->access().get(); }
  /// Appends one. The `rocksdb` backend reads and writes the whole list for it, unless that is
  /// cached.
  void add(T added) const { this->access().add(std::move(added)); }
  /// Appends all, in their order.
  void add_all(std::vector<T> elements) const { this->access().add_all(std::move(elements)); }
  /// Replaces the list.
  void update(std::vector<T> elements) const { this->access().update(std::move(elements)); }
  /// The key has no elements from then on.
  void clear() const { this->access().clear(); }
};

/// A map per key, for maps that change one entry at a time: backends on disk read and write single
/// entries. The order of entries is unspecified.
template <class K, class V>
class map_state : public state_handle<map_state_access<K, V>> {
 public:
  using state_handle<map_state_access<K, V>>::state_handle;

  /// Null if there is no such entry.
  const V* get(const K& key) const { return this->access().get(key); }
  /// The entry's value, to be changed in place; made by `V{}` if there is none.
  V& get_or_default(const K& key) const { return this->access().get_or_default(key); }
  /// Makes the entry or replaces its value.
  void put(const K& key, V value) const { this->access().put(key, std::move(value)); }
  /// The same for each pair of a map or a sequence of pairs.
  template <class Entries>
  void put_all(const Entries& entries) const {
    for (const auto& [key, value] : entries) put(key, value);
  }
  /// Whether there is such an entry.
  bool contains(const K& key) const { return get(key) != nullptr; }
  /// Whether there was such an entry.
  bool remove(const K& key) const { return this->access().remove(key); }
  /// `visit(key, value)` for each entry; it must not use this state.
  template <class Visit>
  void for_each(Visit&& visit) const {
    this->access().for_each(std::ref(visit));
  }
  /// Copies of all entries. Costs memory for all of the key's map: for_each does not.
  std::vector<std::pair<K, V>> entries() const {
    std::vector<std::pair<K, V>> all;
    for_each([&](const K& key, const V& value) { all.emplace_back(key, value); });
    return all;
  }
  /// Copies of all keys of entries.
  std::vector<K> keys() const {
    std::vector<K> all;
    for_each([&](const K& key, const V&) { all.push_back(key); });
    return all;
  }
  /// Copies of all values.
  std::vector<V> values() const {
    std::vector<V> all;
    for_each([&](const K&, const V& value) { all.push_back(value); });
    return all;
  }
  /// Whether the key has no entry.
  bool is_empty() const { return this->access().is_empty(); }
  /// Removes all entries of the key.
  void clear() const { this->access().clear(); }
};

/// One value per key that all added ones were reduced to.
template <class T>
class reducing_state : public state_handle<reducing_state_access<T>> {
 public:
  using state_handle<reducing_state_access<T>>::state_handle;

  /// Null if nothing was added.
  const T* get() const { return this->access().get(); }
  /// Reduces the value with what is there; the first one is taken as it is.
  void add(const T& value) const { this->access().add(value); }
  /// Nothing was added from then on.
  void clear() const { this->access().clear(); }
};

/// The result of an aggregate over all values that were added for a key.
template <class In, class Out>
class aggregating_state : public state_handle<aggregating_state_access<In, Out>> {
 public:
  using state_handle<aggregating_state_access<In, Out>>::state_handle;

  /// Nothing if nothing was added.
  std::optional<Out> get() const { return this->access().get(); }
  /// Adds the value to the key's accumulator, which is made by the first.
  void add(const In& value) const { this->access().add(value); }
  /// Nothing was added from then on; the accumulator is gone.
  void clear() const { this->access().clear(); }
};

/// Chooses the namespace that a state's handles act in.
template <class N>
class namespace_control {
 public:
  virtual ~namespace_control() = default;
  /// See namespaced::set_current_namespace.
  virtual void set_current_namespace(const N& ns) = 0;
  /// See namespaced::merge_namespaces.
  virtual void merge_namespaces(const N& target, std::span<const N> sources) = 0;
};

/// A handle for operators that keep state per key and namespace, such as windows (Flink's
/// InternalKvState). All copies share the current namespace.
template <class Handle, class N>
class namespaced : public Handle {
 public:
  namespaced() = default;
  /// Both belong to a backend, and are the same state.
  template <class Access>
  namespaced(Access& access, namespace_control<N>& control) : Handle(access), control_(&control) {}

  /// Stays until the next call, whatever the key.
  void set_current_namespace(const N& ns) const { control_->set_current_namespace(ns); }
  /// Moves what the current key has in the namespaces `sources` into `target`, merging it as the
  /// state's kind does: lists are joined, target first, then the sources in their order; values are
  /// reduced, accumulators merged. Value and map states can't be merged: throws `failure`.
  /// Sources may name the target, which then keeps its own. The current namespace is `target`
  /// afterwards.
  void merge_namespaces(const N& target, std::span<const N> sources) const {
    control_->merge_namespaces(target, sources);
  }

 private:
  namespace_control<N>* control_ = nullptr;
};

}  // namespace millrace
