#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/connectors/sql_value.hpp"

namespace millrace {

/// Names a transaction: the part that `subtask` has written as its `number`th, for the sink of that
/// name.
struct transaction_id {
  std::string sink;
  std::uint32_t subtask = 0;
  std::uint64_t number = 0;
};

/// A table of keys and values in an SQLite database, and beside it, in the table millrace_commits,
/// the transactions that were applied to it. Every call blocks; one thread at a time. Errors are
/// `io` where another attempt may succeed (the database is locked, the disk is full), and name the
/// database and the reason.
class sqlite_table {
 public:
  /// Makes both tables if there are none.
  static result<sqlite_table> open(const std::string& path, const std::string& table);
  sqlite_table(sqlite_table&&) noexcept;
  sqlite_table& operator=(sqlite_table&&) noexcept;
  ~sqlite_table();

  /// Between these all changes are one transaction of the database, of which nothing is seen until
  /// it is committed.
  status begin();
  status commit();
  /// Instead of commit.
  void roll_back() noexcept;

  /// Whether the transaction was applied, now or earlier.
  result<bool> has(const transaction_id& id);
  /// Remembers that it was.
  status remember(const transaction_id& id);
  /// Inserts, replaces or deletes a row.
  status apply(const key_value_change& change);
  /// One more than the greatest number of the sink's transactions of any subtask.
  result<std::uint64_t> next_number(const std::string& sink);

 private:
  struct connection;
  explicit sqlite_table(std::unique_ptr<connection> to);

  std::unique_ptr<connection> to_;
};

}  // namespace millrace
