#include "millrace/connectors/sqlite_table.hpp"

#include <sqlite3.h>

#include <cstring>
#include <type_traits>
#include <utility>

namespace millrace {

namespace {

struct closer {
  void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using database_ptr = std::unique_ptr<sqlite3, closer>;
using statement_ptr = std::unique_ptr<sqlite3_stmt, closer>;

/// Other processes hold locks for milliseconds.
constexpr int busy_timeout_ms = 5000;
/// Transactions of a subtask that are remembered one by one. Those before them were all applied, or
/// given up, whatever old savepoint asks for them.
constexpr std::uint64_t remembered = 1000;

bool may_pass(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_INTERRUPT:
    case SQLITE_NOMEM:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct sqlite_table::connection {
  std::string path;
  database_ptr database;
  statement_ptr put;
  statement_ptr erase;
  statement_ptr find;
  statement_ptr add;
  statement_ptr forget;
  statement_ptr last;

  tl::unexpected<error> failed(const char* action, int code) const {
    const char* why = database ? sqlite3_errmsg(database.get()) : sqlite3_errstr(code);
    const auto kind = may_pass(code) ? errc::io
                      : (code & 0xff) == SQLITE_PERM || (code & 0xff) == SQLITE_READONLY
                          ? errc::permission_denied
                          : errc::invalid_argument;
    return fail(kind, std::string("can't ") + action + " the database '" + path + "': " + why);
  }

  status run(const char* sql) {
    const int code = sqlite3_exec(database.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return failed("write to", code);
    return {};
  }

  status prepare(statement_ptr& statement, const std::string& sql) {
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v2(database.get(), sql.c_str(), -1, &made, nullptr);
    statement.reset(made);
    if (code != SQLITE_OK) return failed("use", code);
    return {};
  }

  /// One step of a statement whose parameters are bound: whether there is a row. `read` sees it.
  template <class Read>
  result<bool> step(sqlite3_stmt* statement, Read read) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) read();
    sqlite3_reset(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed("write to", code);
    return code == SQLITE_ROW;
  }
  status step(sqlite3_stmt* statement) {
    if (auto done = step(statement, [] {}); !done) return tl::unexpected(done.error());
    return {};
  }

  static void bind(sqlite3_stmt* statement, int at, const std::string& text) {
    sqlite3_bind_text64(statement, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  static void bind(sqlite3_stmt* statement, int at, std::uint64_t number) {
    sqlite3_bind_int64(statement, at, static_cast<sqlite3_int64>(number));
  }
  /// The value must stay until the statement was run.
  static void bind(sqlite3_stmt* statement, int at, const sql_value& value) {
    std::visit(
        [&](const auto& v) {
          using type = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<type, std::int64_t>)
            sqlite3_bind_int64(statement, at, v);
          else if constexpr (std::is_same_v<type, double>)
            sqlite3_bind_double(statement, at, v);
          else if constexpr (std::is_same_v<type, std::string>)
            sqlite3_bind_text64(statement, at, v.data(), v.size(), SQLITE_STATIC, SQLITE_UTF8);
          else
            sqlite3_bind_blob64(statement, at, v.empty() ? "" : static_cast<const void*>(v.data()),
                                v.size(), SQLITE_STATIC);
        },
        value);
  }
};

sqlite_table::sqlite_table(std::unique_ptr<connection> to) : to_(std::move(to)) {}
sqlite_table::sqlite_table(sqlite_table&&) noexcept = default;
sqlite_table& sqlite_table::operator=(sqlite_table&&) noexcept = default;
sqlite_table::~sqlite_table() = default;

result<sqlite_table> sqlite_table::open(const std::string& path, const std::string& table) {
  auto to = std::make_unique<connection>();
  to->path = path;
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  to->database.reset(opened);
  if (code != SQLITE_OK) return to->failed("open", code);
  sqlite3_busy_timeout(opened, busy_timeout_ms);

  // Readers are not kept waiting by writers, and what was committed survives a power cut.
  const auto name = '"' + table + '"';
  status ok = to->run("PRAGMA synchronous = FULL");
  if (ok) {
    // Only one can switch; then it is so for all.
    const auto switched = to->run("PRAGMA journal_mode = WAL");
    if (!switched && switched.error().code != errc::io) ok = switched;
  }
  if (ok)
    ok =
        to->run(("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS " + name +
                 " (key PRIMARY KEY NOT NULL, value) WITHOUT ROWID;"
                 "CREATE TABLE IF NOT EXISTS millrace_commits (sink TEXT NOT NULL, subtask INTEGER "
                 "NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (sink, subtask, number)) "
                 "WITHOUT ROWID; COMMIT;")
                    .c_str());
  if (ok)
    ok = to->prepare(to->put, "INSERT INTO " + name +
                                  " VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2");
  if (ok) ok = to->prepare(to->erase, "DELETE FROM " + name + " WHERE key = ?1");
  if (ok)
    ok = to->prepare(to->find,
                     "SELECT 1 FROM millrace_commits WHERE sink = ?1 AND subtask = ?2 "
                     "AND (number = ?3 OR number > ?4) LIMIT 1");
  if (ok) ok = to->prepare(to->add, "INSERT OR IGNORE INTO millrace_commits VALUES (?1, ?2, ?3)");
  if (ok)
    ok = to->prepare(
        to->forget,
        "DELETE FROM millrace_commits WHERE sink = ?1 AND subtask = ?2 AND number < ?3");
  if (ok)
    ok = to->prepare(to->last,
                     "SELECT coalesce(max(number) + 1, 0) FROM millrace_commits WHERE sink = ?1");
  if (!ok) return tl::unexpected(ok.error());
  return sqlite_table(std::move(to));
}

status sqlite_table::begin() {
  return to_->run("BEGIN IMMEDIATE");
}

status sqlite_table::commit() {
  return to_->run("COMMIT");
}

void sqlite_table::roll_back() noexcept {
  sqlite3_exec(to_->database.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

result<bool> sqlite_table::has(const transaction_id& id) {
  connection::bind(to_->find.get(), 1, id.sink);
  connection::bind(to_->find.get(), 2, std::uint64_t{id.subtask});
  connection::bind(to_->find.get(), 3, id.number);
  connection::bind(to_->find.get(), 4, id.number + remembered);
  return to_->step(to_->find.get(), [] {});
}

status sqlite_table::remember(const transaction_id& id) {
  connection::bind(to_->add.get(), 1, id.sink);
  connection::bind(to_->add.get(), 2, std::uint64_t{id.subtask});
  connection::bind(to_->add.get(), 3, id.number);
  if (auto ok = to_->step(to_->add.get()); !ok || id.number < remembered) return ok;
  connection::bind(to_->forget.get(), 1, id.sink);
  connection::bind(to_->forget.get(), 2, std::uint64_t{id.subtask});
  connection::bind(to_->forget.get(), 3, id.number - remembered);
  return to_->step(to_->forget.get());
}

status sqlite_table::apply(const key_value_change& change) {
  auto* statement = change.value ? to_->put.get() : to_->erase.get();
  connection::bind(statement, 1, change.key);
  if (change.value) connection::bind(statement, 2, *change.value);
  return to_->step(statement);
}

result<std::uint64_t> sqlite_table::next_number(const std::string& sink) {
  std::uint64_t number = 0;
  connection::bind(to_->last.get(), 1, sink);
  auto found = to_->step(to_->last.get(), [&] {
    number = static_cast<std::uint64_t>(sqlite3_column_int64(to_->last.get(), 0));
  });
  if (!found) return tl::unexpected(found.error());
  return number;
}

}  // namespace millrace
