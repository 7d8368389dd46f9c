#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "millrace/core/assert.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/encoded_key_group.hpp"
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
    if (state_ == nullptr) take(std::make_unique<keyed_state_backend<Key>>(env_, open()));
    auto* typed = dynamic_cast<keyed_state_backend<Key>*>(state_.get());
    if (typed == nullptr)
      throw failure(errc::internal, "operator '" + env_.operator_name +
                                        "' asks for keyed state with two types of keys");
    return *typed;
  }

  /// In place of get(), for operators with a table of their own: makes a `State` of the
  /// environment and `args`. Throws `failure` if it does not fit what is restored.
  template <class State, class... Args>
  void make(Args&&... args) {
    MILLRACE_ASSERT(state_ == nullptr, "an operator has one keyed state");
    read_image();
    take(std::make_unique<State>(env_, std::forward<Args>(args)...));
  }

  /// Null if the operator never asked for keyed state.
  keyed_state_backend_base* state() noexcept { return state_.get(); }
  /// What the state begins with, once the operator asks for it; then it throws `failure` if that
  /// does not fit. Until then it is part of every snapshot. `image` is what the backend of this has
  /// brought, if it is to begin with a database and `saved` is what is beside it.
  void restore(std::vector<encoded_key_group> saved,
               std::shared_ptr<database_image> image = nullptr) {
    restored_ = std::move(saved);
    image_ = std::move(image);
  }
  /// A snapshot of the state of now begins. One at a time. Native if it can be. Throws `failure`.
  void begin_snapshot(snapshot_form form = snapshot_form::canonical);
  /// Writes on until the budget is spent; true when all is written. Throws `failure` if a value
  /// can't be encoded or read.
  bool write_snapshot(snapshot_budget& budget);
  /// All key groups of the subtask, in order, those without entries without bytes; nothing if
  /// there is no keyed state. Ends the snapshot, of which all must be written.
  std::vector<encoded_key_group> take_snapshot();
  /// The files that the snapshot under way consists of beside these; null for none.
  std::shared_ptr<database_image> snapshot_image() const {
    return snapshot_ == nullptr ? nullptr : snapshot_->image();
  }
  /// Ends the snapshot, however far it is.
  void abandon_snapshot() noexcept {
    snapshot_.reset();
    unasked_.clear();
  }
  /// Gives up the state, with its files.
  void close() noexcept {
    snapshot_.reset();
    state_.reset();
    image_.reset();
  }

 private:
  void take(std::unique_ptr<keyed_state_backend_base> made);
  std::unique_ptr<byte_store> open() {
    if (backend_ == nullptr) return nullptr;
    if (image_ != nullptr) tables_ = image_->tables;
    auto store = image_ != nullptr ? backend_->open_image(env_, std::exchange(image_, nullptr))
                                   : backend_->open_store(env_);
    if (!store) throw failure(store.error());
    return std::move(*store);
  }
  /// Makes key groups of the image: for state that does not go on with its files.
  void read_image();

  keyed_state_environment env_;
  std::shared_ptr<state_backend> backend_;
  std::unique_ptr<keyed_state_backend_base> state_;
  std::vector<encoded_key_group> restored_;         // until there is a state
  std::shared_ptr<database_image> image_;           // likewise
  std::vector<state_info> tables_;                  // of the image that the store was opened from
  std::unique_ptr<keyed_state_snapshot> snapshot_;  // under way, of the state
  std::vector<encoded_key_group> unasked_;          // under way, without a state
};

}  // namespace millrace
