#pragma once

#include <memory>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state/state_backend.hpp"

namespace millrace {

/// Where an operator's keyed state is between open() and close(): made when the operator first
/// asks, as only the operator knows the type of its keys. Owned by the operator's task.
class keyed_state_slot {
 public:
  /// `backend` null is the hashmap backend.
  keyed_state_slot(keyed_state_environment env, std::shared_ptr<state_backend> backend)
      : env_(std::move(env)), backend_(std::move(backend)) {}

  /// Throws `failure` if the backend can't be opened. All calls must name the same type.
  template <class Key>
  keyed_state_backend<Key>& get() {
    if (state_ == nullptr) state_ = std::make_unique<keyed_state_backend<Key>>(env_, open());
    auto* typed = dynamic_cast<keyed_state_backend<Key>*>(state_.get());
    if (typed == nullptr)
      throw failure(errc::internal, "operator '" + env_.operator_name +
                                        "' asks for keyed state with two types of keys");
    return *typed;
  }

  /// Null if the operator never asked for keyed state.
  keyed_state_backend_base* state() noexcept { return state_.get(); }
  /// Gives up the state, with its files.
  void close() noexcept { state_.reset(); }

 private:
  std::unique_ptr<byte_store> open() {
    if (backend_ == nullptr) return nullptr;
    auto store = backend_->open_store(env_);
    if (!store) throw failure(store.error());
    return std::move(*store);
  }

  keyed_state_environment env_;
  std::shared_ptr<state_backend> backend_;
  std::unique_ptr<keyed_state_backend_base> state_;
};

}  // namespace millrace
