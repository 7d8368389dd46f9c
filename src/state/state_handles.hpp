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
  virtual const T* find() = 0;
  virtual const T& initial() const noexcept = 0;
  virtual T& get_or_default() = 0;
  virtual T* find_in_place() = 0;
  virtual void update(T value) = 0;
  virtual void clear() = 0;
};

template <class T>
class list_state_access {
 public:
  virtual ~list_state_access() = default;
  virtual const std::vector<T>& get() = 0;
  virtual void add(T added) = 0;
  virtual void add_all(std::vector<T> elements) = 0;
  virtual void update(std::vector<T> elements) = 0;
  virtual void clear() = 0;
};

template <class K, class V>
class map_state_access {
 public:
  virtual ~map_state_access() = default;
  virtual const V* get(const K& key) = 0;
  virtual V& get_or_default(const K& key) = 0;
  virtual void put(const K& key, V value) = 0;
  virtual bool remove(const K& key) = 0;
  virtual void for_each(const std::function<void(const K&, const V&)>& visit) = 0;
  virtual bool is_empty() = 0;
  virtual void clear() = 0;
};

template <class In, class Out>
class aggregating_state_access {
 public:
  virtual ~aggregating_state_access() = default;
  virtual std::optional<Out> get() = 0;
  virtual void add(const In& value) = 0;
  virtual void clear() = 0;
};

template <class T>
class reducing_state_access {
 public:
  virtual ~reducing_state_access() = default;
  virtual const T* get() = 0;
  virtual void add(const T& value) = 0;
  virtual void clear() = 0;
};

/// A pointer that a default-constructed handle lacks.
template <class Access>
class state_handle {
 public:
  state_handle() = default;
  explicit state_handle(Access& access) : access_(&access) {}

  /// False for a handle that was not taken from a context.
  explicit operator bool() const noexcept { return access_ != nullptr; }

 protected:
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
  bool has_value() const { return find() != nullptr; }
  /// The value itself, to be changed in place; made from the initial one if there is none. The
  /// fastest way to read, modify and write. Counts as a write even if nothing is changed.
  T& get_or_default() const { return this->access().get_or_default(); }
  /// For operators that work on many keys at once: the value itself, which stays where it is until
  /// one of this state is made or removed, for whatever key. Null if there is none, or if the
  /// backend moves values at other times or gives them a time to live.
  T* find_in_place() const { return this->access().find_in_place(); }
  void update(T value) const { this->access().update(std::move(value)); }
  void clear() const { this->access().clear(); }
};

/// A list per key. A key without elements has the empty list.
template <class T>
class list_state : public state_handle<list_state_access<T>> {
 public:
  using state_handle<list_state_access<T>>::state_handle;

  const std::vector<T>& get() const { return this->access().get(); }
  void add(T added) const { this->access().add(std::move(added)); }
  void add_all(std::vector<T> elements) const { this->access().add_all(std::move(elements)); }
  /// Replaces the list.
  void update(std::vector<T> elements) const { this->access().update(std::move(elements)); }
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
  void put(const K& key, V value) const { this->access().put(key, std::move(value)); }
  template <class Entries>
  void put_all(const Entries& entries) const {
    for (const auto& [key, value] : entries) put(key, value);
  }
  bool contains(const K& key) const { return get(key) != nullptr; }
  /// Whether there was such an entry.
  bool remove(const K& key) const { return this->access().remove(key); }
  /// `visit(key, value)` for each entry; it must not use this state.
  template <class Visit>
  void for_each(Visit&& visit) const {
    this->access().for_each(std::ref(visit));
  }
  std::vector<std::pair<K, V>> entries() const {
    std::vector<std::pair<K, V>> all;
    for_each([&](const K& key, const V& value) { all.emplace_back(key, value); });
    return all;
  }
  std::vector<K> keys() const {
    std::vector<K> all;
    for_each([&](const K& key, const V&) { all.push_back(key); });
    return all;
  }
  std::vector<V> values() const {
    std::vector<V> all;
    for_each([&](const K&, const V& value) { all.push_back(value); });
    return all;
  }
  bool is_empty() const { return this->access().is_empty(); }
  void clear() const { this->access().clear(); }
};

/// One value per key that all added ones were reduced to.
template <class T>
class reducing_state : public state_handle<reducing_state_access<T>> {
 public:
  using state_handle<reducing_state_access<T>>::state_handle;

  /// Null if nothing was added.
  const T* get() const { return this->access().get(); }
  void add(const T& value) const { this->access().add(value); }
  void clear() const { this->access().clear(); }
};

/// The result of an aggregate over all values that were added for a key.
template <class In, class Out>
class aggregating_state : public state_handle<aggregating_state_access<In, Out>> {
 public:
  using state_handle<aggregating_state_access<In, Out>>::state_handle;

  /// Nothing if nothing was added.
  std::optional<Out> get() const { return this->access().get(); }
  void add(const In& value) const { this->access().add(value); }
  void clear() const { this->access().clear(); }
};

/// Chooses the namespace that a state's handles act in.
template <class N>
class namespace_control {
 public:
  virtual ~namespace_control() = default;
  virtual void set_current_namespace(const N& ns) = 0;
  virtual void merge_namespaces(const N& target, std::span<const N> sources) = 0;
};

/// A handle for operators that keep state per key and namespace, such as windows (Flink's
/// InternalKvState). All copies share the current namespace.
template <class Handle, class N>
class namespaced : public Handle {
 public:
  namespaced() = default;
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
