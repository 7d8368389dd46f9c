#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "millrace/core/hash.hpp"
#include "millrace/operators/fold.hpp"
#include "millrace/operators/own_state_names.hpp"
#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/keyed_table_state.hpp"

namespace millrace {

namespace detail {

template <class Found>
struct kept_key {
  using type = Found;
  static constexpr bool is_view = false;
};
template <class... Part>
requires(std::is_lvalue_reference_v<Part> || ...) struct kept_key<std::tuple<Part...>> {
  using type = std::tuple<std::remove_cvref_t<Part>...>;
  static constexpr bool is_view = (std::is_lvalue_reference_v<Part> && ...);
};

}  // namespace detail

/// A key as it is kept: what the selector returns, without reference. A selector may also return a
/// tuple of references into the record (as `std::tie` makes), which is copied for new keys only.
template <class T, class KeyOf>
using key_type =
    typename detail::kept_key<std::decay_t<std::invoke_result_t<const KeyOf&, const T&>>>::type;

/// reduce, sum, min, max, min_by and max_by of a keyed stream. In streaming mode every record is
/// answered by its key's new value; in batch mode each key's last value is emitted once, at the
/// end.
template <class T, class KeyOf, class Fold>
class keyed_fold_operator final : public producing<T> {
 public:
  keyed_fold_operator(KeyOf key_of, Fold fold)
      : key_of_(std::move(key_of)), fold_(std::move(fold)) {}

  void open(operator_context& context) override {
    const auto& self = context.runtime();
    emits_updates_ = self.mode() == runtime_mode::streaming;
    table_.emplace(
        key_group_range_of(self.subtask_index(), self.max_parallelism(), self.parallelism()),
        self.max_parallelism());
    if constexpr (encodable<key> && encodable<T>)
      context.keyed_state().make<keyed_table_state<key, T>>(own_state_names::folded, *table_);
    else
      refuse_checkpoints(context, "its records have no encoding", "give their types a codec");
    fold_.open(context);
  }

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& in = rows_of<T>(rows);
    const auto& timestamps = timestamps_of<T>(rows);
    this->out_.set_timestamp(no_timestamp);
    for (std::size_t begin = 0; begin < in.size(); begin += block_rows) {
      const auto count = std::min(block_rows, in.size() - begin);
      hash_block(&in[begin], count);
      if (!emits_updates_)
        fold_block<answer::none>(&in[begin], nullptr, count, access);
      else if (timestamps.empty())
        fold_block<answer::untimed>(&in[begin], nullptr, count, access);
      else
        fold_block<answer::timed>(&in[begin], &timestamps[begin], count, access);
    }
    this->out_.flush();
  }

  bool finish() override {
    if (!emits_updates_ && !emit_results()) return false;
    fold_.finish();
    return true;
  }
  void close() noexcept override { fold_.close(); }

 private:
  using key = key_type<T, KeyOf>;
  using found_key = std::invoke_result_t<const KeyOf&, const T&>;
  /// Whether the key is found inside the record; else the selector makes it, and it is kept for
  /// the second pass over the block.
  static constexpr bool key_is_in_row =
      std::is_lvalue_reference_v<found_key> || detail::kept_key<std::decay_t<found_key>>::is_view;
  /// Copying a value right after one of its fields was stored stalls the processor, as the wide
  /// load must wait for the narrow store to leave the store buffer. So a plain value is copied
  /// first, and the fold is applied to the copy and to the value.
  static constexpr bool folds_twice = std::is_trivially_copyable_v<T> && requires {
    requires Fold::repeatable;
  };
  /// What comes out for a record at once: nothing, or its key's new value, with the record's
  /// timestamp if it has one.
  enum class answer : std::uint8_t { none, untimed, timed };
  /// Rows whose hashes are computed and whose table entries are fetched ahead of their use.
  static constexpr std::size_t block_rows = 64;

  decltype(auto) key_at(const T& row) const { return std::invoke(key_of_, row); }

  void hash_block(const T* rows, std::size_t count) {
    if constexpr (!key_is_in_row) keys_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (key_is_in_row)
        hashes_[i] = key_hash(key_at(rows[i]));
      else
        hashes_[i] = key_hash(keys_.emplace_back(key_at(rows[i])));
    }
    if (!table_->is_large()) return;
    for (std::size_t i = 0; i < count; ++i) table_->prefetch_index(hashes_[i]);
    for (std::size_t i = 0; i < count; ++i) table_->prefetch_entry(hashes_[i]);
  }

  template <answer Answer>
  void fold_block(T* rows, const timestamp_ms* timestamps, std::size_t count, rows_access access) {
    if constexpr (Answer != answer::timed && folds_twice && !has_heap_v<T>) {
      if (find_block(rows, count)) return fold_found<Answer>(rows, count);
    }
    const auto fold_all = [&](auto&& at) {
      for (std::size_t i = 0; i < count; ++i) {
        if constexpr (Answer == answer::timed) this->out_.set_timestamp(timestamps[i]);
        fold_row<Answer != answer::none>(at(i), i);
      }
    };
    if (access == rows_access::exclusive)
      fold_all([rows](std::size_t i) -> T&& { return std::move(rows[i]); });
    else
      fold_all([rows](std::size_t i) -> const T& { return rows[i]; });
  }

  /// The values of all keys of a block, unless one of them is new. On its own, so that nothing is
  /// stored between the look-ups and they run side by side.
  bool find_block(const T* rows, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      values_[i] = table_->find_for_update(hashes_[i], block_key(rows[i], i));
      if (values_[i] == nullptr) [[unlikely]]
        return false;
    }
    return true;
  }

  template <answer Answer>
  void fold_found(const T* rows, std::size_t count) {
    auto& fold = *fold_;
    T* const* value = values_.data();
    if constexpr (Answer == answer::none) {
      for (std::size_t i = 0; i < count; ++i) fold(*value[i], rows[i]);
    } else {
      this->out_.emit_made(count, [&](T* made, std::size_t first, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
          T& kept = *value[first + i];
          made[i] = kept;
          fold(made[i], rows[first + i]);
          fold(kept, rows[first + i]);
        }
      });
    }
  }

  template <bool EmitsUpdates, class Row>
  void fold_row(Row&& row, std::size_t i) {
    auto [value, is_new] = table_->find_or_make(hashes_[i], block_key(row, i),
                                                [&]() -> T { return std::forward<Row>(row); });
    if constexpr (EmitsUpdates && folds_twice) {
      if (!is_new) {
        this->out_.emit_changed(value, [&](T& copy) { (*fold_)(copy, std::as_const(row)); });
        (*fold_)(value, std::as_const(row));
        return;
      }
    }
    if (!is_new) (*fold_)(value, std::forward<Row>(row));
    if constexpr (EmitsUpdates) this->out_.emit(std::as_const(value));
  }

  decltype(auto) block_key(const T& row, std::size_t i) const {
    if constexpr (key_is_in_row)
      return key_at(row);
    else
      return (keys_[i]);
  }

  /// About a batch of results; true when there are no more.
  bool emit_results() {
    for (auto room = this->out_.room(); next_group_ < table_->group_count(); ++next_group_) {
      auto& entries = table_->entries_of(next_group_);
      for (; next_entry_ < entries.size(); ++next_entry_) {
        if (room-- == 0) {
          this->out_.flush();
          return false;
        }
        this->out_.emit(std::move(entries[next_entry_].value));
      }
      next_entry_ = 0;
    }
    this->out_.flush();
    return true;
  }

  KeyOf key_of_;
  user_function<Fold> fold_;
  std::optional<keyed_table<key, T>> table_;  // checkpointed, by key group
  bool emits_updates_ = true;

  std::array<std::uint64_t, block_rows> hashes_{};
  std::array<T*, block_rows> values_{};
  row_vector<key> keys_;  // of the block, unless they are in the rows
  std::uint32_t next_group_ = 0;
  std::size_t next_entry_ = 0;
};

template <class T, class KeyOf, class Fold>
operator_factory_ptr make_keyed_fold(KeyOf key_of, Fold fold) {
  return make_factory<T, T>([key_of, fold] {
    return std::make_unique<keyed_fold_operator<T, KeyOf, Fold>>(key_of, fold);
  });
}

}  // namespace millrace
