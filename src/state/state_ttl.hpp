#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/io.hpp"

namespace millrace {

/// What prolongs the life of a value (Flink's StateTtlConfig.UpdateType).
enum class ttl_update : std::uint8_t {
  on_create_and_write,  ///< Setting it. Reading does not.
  on_read_and_write,    ///< Looking at it, too.
};

/// Whether a value that has expired may still be seen before it is removed.
enum class ttl_visibility : std::uint8_t {
  never_return_expired,              ///< It is gone the moment it expires.
  return_expired_if_not_cleaned_up,  ///< It may be seen until something removes it.
};

/// How long state lives without being touched, in processing time. Elements of a list and entries
/// of a map expire one by one.
struct state_ttl_config {
  /// From the last touch on; with 0 a value is gone as soon as the clock has moved on.
  std::chrono::milliseconds ttl{0};
  ttl_update update = ttl_update::on_create_and_write;               ///< What touches.
  ttl_visibility visibility = ttl_visibility::never_return_expired;  ///< What may be seen.
  /// Entries that each access looks at to remove what has expired and is never asked for again
  /// (Flink's cleanupIncrementally); 0 leaves them where they are.
  std::uint32_t cleanup_entries = 5;
};

/// State that lives until it is cleared.
struct unlimited_lifetime {};

/// A value with the wall-clock time, in milliseconds, at which it was last touched.
template <class T>
struct expiring {
  std::int64_t touched_ms = 0;  ///< Since the epoch.
  T value{};                    ///< What the user sees.
};

/// A list whose elements were touched one by one. Begins with the latest of the times, as a single
/// value does: a store that knows no more of its rows can tell when nothing of it is left.
template <class T>
struct expiring_list {
  std::int64_t touched_ms = 0;       ///< No element was touched later; since the epoch.
  std::vector<expiring<T>> cells{};  ///< In the order in which they were added.
};

/// State without time to live: a cell is the value itself.
class no_ttl {
 public:
  /// What a store keeps for a value.
  template <class T>
  using cell = T;
  /// What a store keeps for a list.
  template <class T>
  using list = std::vector<T>;
  /// Whether cells can expire.
  static constexpr bool is_enabled = false;

  /// The value that a cell holds.
  template <class T>
  static T& value(T& cell) noexcept {
    return cell;
  }
  /// A cell of that value.
  template <class T>
  static T make(T value) {
    return value;
  }
  /// The cells of a list.
  template <class T>
  static std::vector<T>& elements(std::vector<T>& all) noexcept {
    return all;
  }
  /// Adds a cell to a list.
  template <class T>
  static void append(std::vector<T>& all, std::type_identity_t<T> cell) {
    all.push_back(std::move(cell));
  }
  /// Gives a cell of either kind the form of this one.
  template <class T>
  static T adopt(T&& saved) {
    return std::move(saved);
  }
  /// What was saved with time to live lives on without.
  template <class T>
  static T adopt(expiring<T>&& saved) {
    return std::move(saved.value);
  }
};

/// State with time to live: a cell remembers when it was touched.
class with_ttl {
 public:
  /// What a store keeps for a value.
  template <class T>
  using cell = expiring<T>;
  /// What a store keeps for a list.
  template <class T>
  using list = expiring_list<T>;
  /// Whether cells can expire.
  static constexpr bool is_enabled = true;

  /// `time` outlives this.
  with_ttl(const state_ttl_config& config, const clock& time) : config_(config), time_(&time) {}

  /// The value that a cell holds, expired or not.
  template <class T>
  static T& value(expiring<T>& cell) noexcept {
    return cell.value;
  }
  /// The same, to be read.
  template <class T>
  static const T& value(const expiring<T>& cell) noexcept {
    return cell.value;
  }
  /// A cell of that value, touched now.
  template <class T>
  expiring<T> make(T value) const {
    return {time_->wall_ms(), std::move(value)};
  }
  /// The cells of a list, expired or not.
  template <class T>
  static std::vector<expiring<T>>& elements(expiring_list<T>& all) noexcept {
    return all.cells;
  }
  /// Adds a cell to a list.
  template <class T>
  static void append(expiring_list<T>& all, std::type_identity_t<expiring<T>> cell) {
    all.touched_ms = std::max(all.touched_ms, cell.touched_ms);
    all.cells.push_back(std::move(cell));
  }
  /// It goes on with the age it had.
  template <class T>
  expiring<T> adopt(expiring<T>&& saved) const {
    return std::move(saved);
  }
  /// What was saved without time to live begins to live now.
  template <class T>
  expiring<T> adopt(T&& saved) const {
    return make(std::move(saved));
  }

  /// Whether what was touched then is expired at `now_ms`. Never if the clock was set back behind
  /// the touch.
  bool is_expired_at(std::int64_t touched_ms, std::int64_t now_ms) const noexcept {
    // A clock that was set back must not make values expire, nor the sum overflow.
    return now_ms > touched_ms && now_ms - touched_ms >= config_.ttl.count();
  }
  /// Whether it is by now.
  template <class T>
  bool is_expired(const expiring<T>& c) const noexcept {
    return is_expired_at(c.touched_ms, time_->wall_ms());
  }
  /// Its life begins anew.
  template <class T>
  void touch(expiring<T>& c) const noexcept {
    c.touched_ms = time_->wall_ms();
  }

  /// Those of a list's elements that are not expired begin anew.
  template <class T>
  void touch_live(expiring_list<T>& all) const noexcept {
    for (auto& c : all.cells) {
      if (is_expired(c)) continue;
      touch(c);
      all.touched_ms = std::max(all.touched_ms, c.touched_ms);
    }
  }

  /// As configured, in milliseconds.
  std::int64_t ttl_ms() const noexcept { return config_.ttl.count(); }
  /// Whether reading a value prolongs its life.
  bool reads_touch() const noexcept { return config_.update == ttl_update::on_read_and_write; }
  /// Whether expired values may be returned until they are removed.
  bool shows_expired() const noexcept {
    return config_.visibility == ttl_visibility::return_expired_if_not_cleaned_up;
  }
  /// How many entries each access looks at for expired ones.
  std::uint32_t cleanup_entries() const noexcept { return config_.cleanup_entries; }

 private:
  state_ttl_config config_;
  const clock* time_;
};

/// How the cells of a state with that lifetime are kept.
inline no_ttl cells_of(const unlimited_lifetime&, const clock&) {
  return {};
}
/// With time to live. `time` outlives what is returned.
inline with_ttl cells_of(const state_ttl_config& config, const clock& time) {
  return {config, time};
}

}  // namespace millrace
