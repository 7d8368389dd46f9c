#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/keyed_state_snapshot.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/object_cache.hpp"
#include "millrace/state/state_backend.hpp"

namespace millrace {

/// All keyed state and timers of one subtask of an operator, as snapshots see it: by key group and
/// by name, whatever the types. Owned by the operator's task and used only from it.
///
/// A state exists from the first time a function asks for it. What a snapshot has of states that
/// nobody asked for is kept as it came, handed to the state once it is asked for, and is part of
/// later snapshots until then.
///
/// Snapshot of a key group, by `codec`:
///
///     u8   format, now 1
///     u32  key group
///     length-prefixed sections, in the order of the names:
///       state_info
///       bytes: the entries, each key, namespace, map key and value as bytes with their length
///
/// It has no byte that depends on the backend or on the parallelism.
///
/// A native snapshot has the files of the store in place of the entries of all states that are in
/// it, as rows of `cached_store` and `cached_map_store`; the others, such as timers, are key groups
/// beside it. States in an image that nobody asks for stay where they are.
class keyed_state_backend_base {
 public:
  virtual ~keyed_state_backend_base();
  keyed_state_backend_base(const keyed_state_backend_base&) = delete;
  keyed_state_backend_base& operator=(const keyed_state_backend_base&) = delete;

  key_group_range groups() const noexcept { return env_.groups; }
  std::uint32_t max_parallelism() const noexcept { return env_.max_parallelism; }
  const std::string& operator_name() const noexcept { return env_.operator_name; }

  /// The states that were asked for, in the order of their names.
  std::vector<state_info> states() const;
  /// Entries of one state and key group; nothing if there is no such state. Sees restored entries
  /// of states only that were asked for.
  void for_each(const std::string& state, std::uint32_t group, state_entry_visitor& visitor);

  /// A snapshot of all that there is now, which is written while the state is used. One at a time;
  /// it must not outlive the backend. Native only if the store has files, and canonical ones can be
  /// made of them without the code of the types. Throws `failure`.
  std::unique_ptr<keyed_state_snapshot> begin_snapshot(
      snapshot_form form = snapshot_form::canonical);
  /// The store was opened from an image with these tables. Before any state is asked for.
  void adopt_tables(const std::vector<state_info>& tables);
  /// Adds what a snapshot has of a group, of this backend or another; not while one is written. On
  /// failure, `invalid_data` or `type_mismatch`, the content is unspecified.
  status restore_key_group(std::uint32_t group, byte_reader& in);
  /// The same without copying what has to wait for somebody to ask for it: the bytes are kept
  /// instead. A group that has no entries has no bytes.
  status restore_key_group(std::uint32_t group, const chunked_bytes& bytes);

  /// Brings what is only in memory to where the backend keeps it.
  void flush();
  /// Bytes that objects cached in front of the store take now; 0 for the hashmap backend.
  std::size_t cached_bytes() const noexcept { return cache_budget_.used(); }

 protected:
  keyed_state_backend_base(keyed_state_environment env, std::uint64_t key_type,
                           std::unique_ptr<byte_store> store);

  /// Null if nobody asked for it yet. Throws `failure(invalid_argument)` if it was asked for as
  /// something else.
  keyed_state_table* find_table(const state_info& wanted);
  /// Takes a new state and gives it what was restored for it. Throws `failure(type_mismatch)` if
  /// that is of another type.
  void add_table(std::unique_ptr<keyed_state_table> table);
  [[noreturn]] void throw_used_otherwise(const state_info& wanted, const std::string& how) const;

  std::uint64_t key_type() const noexcept { return key_type_; }
  const keyed_state_environment& environment() const noexcept { return env_; }
  /// Null if state is live objects.
  byte_store* store() const noexcept { return store_.get(); }
  object_cache_budget& cache_budget() noexcept { return cache_budget_; }
  /// The table of the store for a state that is asked for, with what was restored of it if that is
  /// the very same state. Requires a store.
  byte_table& stored_table(const state_info& wanted, std::optional<std::int64_t> ttl_ms);
  /// Asks the store how much may be cached, and releases what is cached beyond.
  void keep_to_budget();

 private:
  /// What a snapshot had of a state that nobody asked for yet. There may be several of one name:
  /// subtasks that had asked for it, with a type that has changed meanwhile, and others that had
  /// not.
  struct unclaimed_state {
    state_info info;
    unclaimed_entries entries;
  };

  /// Gives each section that nobody asked for yet to `keep(view)`, which returns what is kept of
  /// it.
  template <class Keep>
  status restore_sections(std::uint32_t group, byte_reader& in, Keep&& keep);
  status restore_entries(keyed_state_table& table, std::uint32_t group, const state_info& saved,
                         byte_view entries);
  /// Where entries of a state are kept that nobody asked for yet.
  unclaimed_entries& unclaimed_of(const state_info& saved);
  std::string subject(const std::string& state) const;
  /// The files of the store; null if there are none, or nobody could make something of them.
  std::shared_ptr<database_image> freeze_store();
  /// Takes a table that was adopted out of the store: what it has is then as of a canonical
  /// snapshot.
  void evict_adopted(const std::string& name);

  keyed_state_environment env_;
  std::uint64_t key_type_;
  std::unique_ptr<byte_store> store_;  // outlives the tables
  object_cache_budget cache_budget_;
  std::map<std::string, std::unique_ptr<keyed_state_table>> tables_;
  std::multimap<std::string, unclaimed_state> unclaimed_;  // by name
  std::map<std::string, state_info> adopted_;  // tables of the store that nobody asked for
};

}  // namespace millrace
