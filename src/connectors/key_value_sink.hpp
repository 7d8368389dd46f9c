#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "millrace/connectors/file_sink.hpp"
#include "millrace/connectors/sql_value.hpp"

namespace millrace {

/// Where a key_value_sink writes to.
struct key_value_table {
  std::string database;  ///< Path of an SQLite database, which is made if there is none.
  std::string table;     ///< Letters, digits and '_'. Its columns are `key` and `value`.
  /// Tells sinks apart that write to one table.
  std::string writer = "sink";

  /// Throws `failure(invalid_argument)` for names that can't be.
  void check() const;
};

namespace detail {

template <class V>
struct optional_value {
  using type = V;
};
template <class V>
struct optional_value<std::optional<V>> {
  using type = V;
};

/// Parts that go to "<database>.staging/<table>", with numbers that the database has not seen.
part_places_maker staging_places_maker(key_value_table table);
/// Parts end at checkpoints, or each second if there are none.
rolling_policy staging_policy(const sink_writer_context& context);
std::shared_ptr<committer<file_committable>> make_key_value_committer(
    const committer_context& context, key_value_table table);

}  // namespace detail

/// Records as changes in a staging file.
template <class T, class KeyOf, class ValueOf>
struct change_format {
  KeyOf key_of;      ///< Finds the key.
  ValueOf value_of;  ///< Finds the value.

  /// What a staging file begins with.
  void append_header(std::string& out) const { out += change_file_header(); }
  /// One record.
  void append_line(std::string& out, const T& record) {
    key_value_change change{to_sql(std::invoke(key_of, record)), std::nullopt};
    const auto& value = std::invoke(value_of, record);
    using value_type = std::decay_t<decltype(value)>;
    if constexpr (shape::optional<value_type>) {
      if (value) change.value = to_sql(*value);
    } else {
      change.value = to_sql(value);
    }
    append_change(out, change);
  }
};

/// Keeps a table of an SQLite database up to date, exactly once: each record inserts or replaces
/// the row of its key, or deletes it if its value is an empty std::optional. The changes between
/// two checkpoints are written to a staging file before the barrier, and applied in one transaction
/// when the checkpoint is complete; the same transaction remembers that it was applied, so that a
/// repetition changes nothing. Records of one key must come from one subtask: put it behind
/// `key_by`.
///
///     totals.key_by(&total::customer)
///         .reduce(add)
///         .sink_to(key_value_sink<total>::upsert({"/data/shop.db", "totals"}, &total::customer,
///                                                &total::cents));
///
/// The database and its staging directory must be in reach of all subtasks.
template <class T, class KeyOf = void, class ValueOf = void>
class key_value_sink {
 public:
  /// A staging file.
  using committable = file_committable;

  key_value_sink(key_value_table table, KeyOf key_of, ValueOf value_of)
      : table_(std::move(table)), format_{std::move(key_of), std::move(value_of)} {}

  /// The writer of a subtask.
  std::unique_ptr<sink_writer<T, committable>> create_writer(sink_writer_context& context) const {
    return std::make_unique<
        file_sink_writer<T, change_format<T, KeyOf, ValueOf>, base_path_buckets>>(
        context, detail::staging_places_maker(table_), detail::staging_policy(context), false,
        format_, base_path_buckets{});
  }
  /// The committer of a subtask.
  std::shared_ptr<committer<committable>> create_committer(const committer_context& context) const {
    return detail::make_key_value_committer(context, table_);
  }

 private:
  key_value_table table_;
  change_format<T, KeyOf, ValueOf> format_;
};

/// Makes them.
template <class T>
class key_value_sink<T, void, void> {
 public:
  /// `key_of` and `value_of` are members, or functions of `const T&`, that yield integers, floating
  /// point numbers, texts or vectors of bytes; a value may be an optional of such. Throws
  /// `failure(invalid_argument)` for a table that can't be.
  template <class KeyOf, class ValueOf>
  static key_value_sink<T, KeyOf, ValueOf> upsert(key_value_table table, KeyOf key_of,
                                                  ValueOf value_of) {
    using key = std::decay_t<std::invoke_result_t<KeyOf&, const T&>>;
    using value = std::decay_t<std::invoke_result_t<ValueOf&, const T&>>;
    static_assert(sql_storable<key> && sql_storable<typename detail::optional_value<value>::type>,
                  "millrace: keys and values of a key_value_sink are integers, floating point "
                  "numbers, texts or vectors of bytes");
    table.check();
    return {std::move(table), std::move(key_of), std::move(value_of)};
  }
};

}  // namespace millrace
