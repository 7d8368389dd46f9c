#include "millrace/connectors/key_value_sink.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "millrace/connectors/sqlite_table.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

constexpr std::uint64_t staging_bytes_max = std::uint64_t{32} << 20;

bool is_name(const std::string& text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

std::string sink_id(const key_value_table& table) {
  return table.table + '/' + table.writer;
}

/// Staging files never get their final names, so only the database knows what numbers were used.
class staging_places final : public part_places {
 public:
  staging_places(const sink_writer_context& context, key_value_table table, part_recovery recovery)
      : table_(std::move(table)),
        places_(context.files(), table_.database + ".staging/" + table_.table,
                {.prefix = table_.writer, .suffix = {}}, context.runtime(), std::move(recovery)) {}

  status start() override {
    if (auto ok = places_.start(); !ok) return ok;
    auto database = sqlite_table::open(table_.database, table_.table);
    if (!database) return tl::unexpected(database.error());
    return database->next_number(sink_id(table_)).map([&](std::uint64_t next) {
      places_.skip_to(next);
    });
  }
  result<opened_part> open(const std::string& bucket) override { return places_.open(bucket); }
  std::uint64_t next_number() const noexcept override { return places_.next_number(); }

 private:
  key_value_table table_;
  bucket_places places_;
};

/// Applies staging files, all that are given at once in one transaction.
class key_value_committer final : public ordered_committer<file_committable> {
 public:
  key_value_committer(file_system& files, key_value_table table)
      : files_(files), table_(std::move(table)) {}

  std::vector<commit_result> commit(const std::vector<file_committable>& what) override {
    std::vector<commit_result> results;
    if (auto done = apply_all(what, results); !done) {
      if (database_) database_->roll_back();
      database_.reset();  // whatever is wrong with it, the next attempt begins afresh
      const auto& why = done.error();
      results.assign(what.size(), why.code == errc::io ? commit_result::retry_later(why)
                                                       : commit_result::failed(why));
      return results;
    }
    pass(kill_point::transaction_committed);
    // What is left behind by a crash here, or an error, is removed when the commit is repeated.
    remove_working_files(files_, what);
    return results;
  }

  void discard(const std::vector<file_committable>& what) noexcept override {
    remove_working_files(files_, what);
  }

  result<std::size_t> count_uncommitted(const std::vector<file_committable>& what) override {
    if (auto ok = connect(); !ok) return tl::unexpected(ok.error());
    std::size_t count = 0;
    for (const auto& each : what) {
      const auto known = database_->has(id_of(each));
      if (!known) return tl::unexpected(known.error());
      if (!*known) ++count;
    }
    return count;
  }

 private:
  status connect() {
    if (database_) return {};
    auto opened = sqlite_table::open(table_.database, table_.table);
    if (!opened) return tl::unexpected(opened.error());
    database_ = *std::move(opened);
    return {};
  }

  status apply_all(const std::vector<file_committable>& what, std::vector<commit_result>& results) {
    if (auto ok = connect(); !ok) return ok;
    if (auto ok = database_->begin(); !ok) return ok;
    for (const auto& each : what) {
      const auto id = id_of(each);
      auto known = database_->has(id);
      if (!known) return tl::unexpected(known.error());
      results.push_back(*known ? commit_result::already_committed() : commit_result::committed());
      if (*known) continue;
      if (auto ok = apply(each); !ok) return ok;
      if (auto ok = database_->remember(id); !ok) return ok;
    }
    pass(kill_point::changes_applied);
    return database_->commit();
  }

  status apply(const file_committable& what) {
    auto bytes = read_file(files_, what.working, what.bytes);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto damaged = [&](const std::string& how) {
      return fail(errc::invalid_data, "the staging file '" + what.working + "' is damaged: " + how +
                                          "; check the disk it lies on");
    };
    if (bytes->size() != what.bytes) return damaged("it is shorter than it was written");
    change_reader changes(*bytes);
    for (;;) {
      auto change = changes.next();
      if (!change) return damaged(change.error().message);
      if (!*change) return {};
      if (auto ok = database_->apply(**change); !ok) return ok;
    }
  }

  /// From "<directory>/<writer>-<subtask>-<number>".
  transaction_id id_of(const file_committable& what) const {
    transaction_id id{sink_id(table_), 0, 0};
    const auto& text = what.target;
    const auto number = text.rfind('-');
    const auto subtask = text.rfind('-', number - 1);
    std::from_chars(text.data() + subtask + 1, text.data() + number, id.subtask);
    std::from_chars(text.data() + number + 1, text.data() + text.size(), id.number);
    return id;
  }

  file_system& files_;
  key_value_table table_;
  std::optional<sqlite_table> database_;
};

}  // namespace

void key_value_table::check() const {
  if (database.empty())
    throw failure(errc::invalid_argument, "a key_value_sink needs the path of its database");
  for (const auto& name : {table, writer})
    if (!is_name(name))
      throw failure(
          errc::invalid_argument,
          "'" + name +
              "' can't be the name of a table, or of a writer to one: use letters, digits "
              "and '_'");
}

namespace detail {

part_places_maker staging_places_maker(key_value_table table) {
  return [table = std::move(table)](const sink_writer_context& context, part_recovery recovery) {
    return std::make_unique<staging_places>(context, table, std::move(recovery));
  };
}

rolling_policy staging_policy(const sink_writer_context& context) {
  auto policy = rolling_policy::only_on_checkpoint();
  policy.part_bytes = staging_bytes_max;
  if (!context.is_checkpointed()) policy.rollover_interval = std::chrono::seconds(1);
  return policy;
}

std::shared_ptr<committer<file_committable>> make_key_value_committer(
    const committer_context& context, key_value_table table) {
  return std::make_shared<key_value_committer>(context.files, std::move(table));
}

}  // namespace detail

}  // namespace millrace
