#include "millrace/state/keyed_state_backend_base.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/state/key_group_sections.hpp"
#include "millrace/state/row_layout.hpp"
#include "millrace/state/state_evolution.hpp"

namespace millrace {

namespace {

/// Whether a backend with a store keeps it there: timers are in memory with any backend.
bool is_in_store(const state_info& info) {
  return info.kind != state_kind::timers && info.kind != state_kind::schedule;
}

/// For a mutant: a timer, a millisecond later, as the same one again would be no other.
status restore_once_more(keyed_state_table& table, std::uint32_t group, const state_info& saved,
                         encoded_entry entry) {
  std::uint8_t domain = 0;
  std::int64_t timestamp = 0;
  if (auto good = decode_bytes_into(entry.value, domain, timestamp); !good) return good;
  byte_writer later;
  encode(later, domain, timestamp + 1);
  entry.value = later.bytes();
  return table.restore_entry(group, saved, entry);
}

}  // namespace

keyed_state_backend_base::keyed_state_backend_base(keyed_state_environment env,
                                                   std::uint64_t key_type,
                                                   std::unique_ptr<byte_store> store)
    : env_(std::move(env)), key_type_(key_type), store_(std::move(store)) {
  MILLRACE_ASSERT(env_.time != nullptr, "state needs a clock");
  keep_to_budget();
}

keyed_state_backend_base::~keyed_state_backend_base() = default;

std::string keyed_state_backend_base::subject(const std::string& state) const {
  return "state '" + state + "' of operator '" + env_.operator_name + "'";
}

std::vector<state_info> keyed_state_backend_base::states() const {
  std::vector<state_info> all;
  for (const auto& [name, table] : tables_) all.push_back(table->info());
  return all;
}

void keyed_state_backend_base::for_each(const std::string& state, std::uint32_t group,
                                        state_entry_visitor& visitor) {
  MILLRACE_ASSERT(env_.groups.contains(group), "a key group of another subtask");
  const auto found = tables_.find(state);
  if (found != tables_.end()) found->second->for_each_in_group(group, visitor);
}

std::unique_ptr<keyed_state_snapshot> keyed_state_backend_base::begin_snapshot(snapshot_form form) {
  auto image = form == snapshot_form::native ? freeze_store() : nullptr;
  while (image == nullptr && !adopted_.empty()) {
    const auto name = adopted_.begin()->first;
    evict_adopted(name);
  }
  std::vector<keyed_state_snapshot::part> parts;
  for (const auto& [name, table] : tables_)
    if (image == nullptr || !is_in_store(table->info()))
      parts.push_back({table->info(), table.get()});
  for (const auto& [name, kept] : unclaimed_) parts.push_back({kept.info, nullptr, kept.entries});
  std::ranges::sort(
      parts, {}, [](const auto& part) -> const auto& { return part.info.name; });
  return std::make_unique<keyed_state_snapshot>(env_.groups, std::move(parts), std::move(image));
}

std::shared_ptr<database_image> keyed_state_backend_base::freeze_store() {
  if (store_ == nullptr) return nullptr;
  std::vector<state_info> stored;
  for (const auto& [name, table] : tables_)
    if (is_in_store(table->info())) stored.push_back(table->info());
  for (const auto& [name, info] : adopted_) stored.push_back(info);
  std::ranges::sort(stored, {}, &state_info::name);
  const auto can_be_read = [](const state_info& info) { return row_layout::of(info).has_value(); };
  if (stored.empty() || !std::ranges::all_of(stored, can_be_read)) return nullptr;
  if (!MILLRACE_MUTANT(cache_not_flushed)) flush();
  auto image = store_->freeze();
  if (image != nullptr) image->tables = std::move(stored);
  return image;
}

void keyed_state_backend_base::adopt_tables(const std::vector<state_info>& tables) {
  MILLRACE_ASSERT(store_ != nullptr && tables_.empty(), "an image is opened before it is used");
  for (const auto& info : tables) adopted_[info.name] = info;
}

void keyed_state_backend_base::evict_adopted(const std::string& name) {
  const auto info = adopted_.extract(name).mapped();
  const auto layout = row_layout::of(info);
  if (!layout)
    throw failure(errc::type_mismatch,
                  subject(name) + " can't be restored: the type of its keys is not known");
  auto& table = store_->table(name, std::nullopt);
  auto& unclaimed = unclaimed_of(info);
  for (auto group = env_.groups.first; group <= env_.groups.last; ++group) {
    byte_writer entries;
    append_entries(table, *layout, group, entries);
    if (entries.size() == 0) continue;
    unclaimed[group].push_back(shared_bytes(std::move(entries).take()));
    erase_rows(table, group);
  }
}

byte_table& keyed_state_backend_base::stored_table(const state_info& wanted,
                                                   std::optional<std::int64_t> ttl_ms) {
  const auto adopted = adopted_.find(wanted.name);
  if (adopted != adopted_.end()) {
    if (adopted->second == wanted)
      adopted_.erase(adopted);
    else
      evict_adopted(wanted.name);
  }
  return store_->table(wanted.name, ttl_ms);
}

status keyed_state_backend_base::restore_key_group(std::uint32_t group, byte_reader& in) {
  return restore_sections(group, in, [](byte_view entries) {
    return shared_bytes(std::vector<std::byte>(entries.begin(), entries.end()));
  });
}

status keyed_state_backend_base::restore_key_group(std::uint32_t group,
                                                   const chunked_bytes& bytes) {
  if (bytes.empty()) return {};
  const auto whole = bytes.whole();
  byte_reader in(whole.part);
  return restore_sections(group, in,
                          [&](byte_view entries) { return shared_bytes(whole.owner, entries); });
}

template <class Keep>
status keyed_state_backend_base::restore_sections(std::uint32_t group, byte_reader& in,
                                                  Keep&& keep) {
  MILLRACE_ASSERT(env_.groups.contains(group), "a key group of another subtask");
  const auto sections = read_key_group(in, group);
  if (!sections)
    return fail(sections.error().code, "the keyed state of operator '" + env_.operator_name +
                                           "' can't be restored: " + sections.error().message);
  for (const auto& [saved, entries] : *sections) {
    if (const auto table = tables_.find(saved.name); table != tables_.end()) {
      if (auto done = restore_entries(*table->second, group, saved, entries); !done) return done;
      continue;
    }
    unclaimed_of(saved)[group].push_back(keep(entries));
  }
  return {};
}

status keyed_state_backend_base::restore_entries(keyed_state_table& table, std::uint32_t group,
                                                 const state_info& saved, byte_view entries) {
  const auto how = state_evolution::between(saved, table.info());
  if (!how)
    return fail(errc::type_mismatch, subject(saved.name) +
                                         " can't be restored: " + how.error().message + "; " +
                                         remedy_for_other_type(saved.name));
  encoded_entry entry;
  std::size_t count = 0;
  for (byte_reader in(entries); in.remaining() > 0 && get_entry(in, entry);) ++count;
  table.reserve(group, count);
  const auto restore = [&]() -> status {
    if (!*how) return table.restore_entry(group, saved, entry);
    const auto evolved = (*how)->evolve(entry.value);
    if (!evolved) return tl::unexpected(evolved.error());
    entry.value = *evolved;
    return table.restore_entry(group, saved, entry);
  };
  byte_reader in(entries);
  while (in.remaining() > 0 && get_entry(in, entry)) {
    if (const auto done = restore(); !done)
      return fail(done.error().code,
                  subject(saved.name) + " can't be restored: " + done.error().message);
    if (MILLRACE_MUTANT(timer_restored_twice) && saved.kind == state_kind::timers)
      static_cast<void>(restore_once_more(table, group, saved, entry));
  }
  return in.to_status();
}

void keyed_state_backend_base::flush() {
  for (auto& [name, table] : tables_) table->flush();
}

void keyed_state_backend_base::keep_to_budget() {
  if (store_ == nullptr) return;
  cache_budget_.set_limit(store_->object_cache_bytes());
  if (!cache_budget_.is_over()) return;
  // A little more than needed, so that dirty objects are written in large batches; each state gives
  // in proportion to what it has.
  const double kept = static_cast<double>(cache_budget_.limit()) / 32 * 31 /
                      static_cast<double>(cache_budget_.used());
  for (auto& [name, table] : tables_)
    table->release_memory(
        static_cast<std::size_t>(static_cast<double>(table->cached_bytes()) * kept));
}

keyed_state_table* keyed_state_backend_base::find_table(const state_info& wanted) {
  const auto found = tables_.find(wanted.name);
  if (found == tables_.end()) return nullptr;
  const auto why = why_incompatible(found->second->info(), wanted);
  if (!why.empty()) throw_used_otherwise(wanted, why);
  return found->second.get();
}

void keyed_state_backend_base::throw_used_otherwise(const state_info& wanted,
                                                    const std::string& how) const {
  throw failure(errc::invalid_argument, subject(wanted.name) + " is already in use: it " + how +
                                            "; every state of an operator needs a name of its own");
}

void keyed_state_backend_base::add_table(std::unique_ptr<keyed_state_table> table) {
  const auto& name = table->info().name;
  if (name.empty())
    throw failure(errc::invalid_argument,
                  "a state of operator '" + env_.operator_name + "' has no name");
  auto& kept = *(tables_[name] = std::move(table));
  if (adopted_.contains(kept.info().name)) evict_adopted(kept.info().name);
  for (;;) {
    const auto waiting = unclaimed_.find(kept.info().name);
    if (waiting == unclaimed_.end()) return;
    auto unclaimed = std::move(waiting->second);
    unclaimed_.erase(waiting);
    for (auto& [group, parts] : unclaimed.entries) {
      for (const auto& each : parts)
        if (auto done = restore_entries(kept, group, unclaimed.info, each.part); !done)
          throw failure(done.error());
      parts.clear();  // what is in the table is not needed twice
    }
  }
}

unclaimed_entries& keyed_state_backend_base::unclaimed_of(const state_info& saved) {
  auto [at, end] = unclaimed_.equal_range(saved.name);
  for (; at != end; ++at)
    if (at->second.info == saved) return at->second.entries;
  return unclaimed_.emplace(saved.name, unclaimed_state{saved, {}})->second.entries;
}

}  // namespace millrace
