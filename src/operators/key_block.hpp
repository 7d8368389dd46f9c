#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <type_traits>

#include "millrace/operators/keyed_fold.hpp"
#include "millrace/stream/batch.hpp"

namespace millrace {

/// The keys of a block of rows, found ahead of their use so that the state of all can be fetched
/// while the first are worked on.
template <class T, class KeyOf>
class key_block {
 public:
  using key = key_type<T, KeyOf>;
  static constexpr std::size_t rows_max = 64;

  explicit key_block(KeyOf key_of) : key_of_(std::move(key_of)) {}

  /// `count` rows from `rows`, at most `rows_max`; they must stay until the next call.
  void find(const T* rows, std::size_t count) {
    rows_ = rows;
    count_ = count;
    if constexpr (!key_is_in_row) keys_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (key_is_in_row)
        hashes_[i] = key_hash(std::invoke(key_of_, rows[i]));
      else
        hashes_[i] = key_hash(keys_.emplace_back(std::invoke(key_of_, rows[i])));
    }
  }

  std::uint64_t hash(std::size_t i) const noexcept { return hashes_[i]; }
  /// The key, or references to its parts.
  decltype(auto) at(std::size_t i) const {
    if constexpr (key_is_in_row)
      return std::invoke(key_of_, rows_[i]);
    else
      return (keys_[i]);
  }

  std::span<const std::uint64_t> hashes() const noexcept { return {hashes_.data(), count_}; }
  /// Empty if the keys lie in the rows.
  std::span<const key> keys() const noexcept { return {keys_.data(), keys_.size()}; }

 private:
  using found_key = std::invoke_result_t<const KeyOf&, const T&>;
  static constexpr bool key_is_in_row =
      std::is_lvalue_reference_v<found_key> || detail::kept_key<std::decay_t<found_key>>::is_view;

  KeyOf key_of_;
  const T* rows_ = nullptr;
  std::size_t count_ = 0;
  std::array<std::uint64_t, rows_max> hashes_{};
  row_vector<key> keys_;
};

}  // namespace millrace
