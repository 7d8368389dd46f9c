#include "millrace/state/keyed_state_backend_base.hpp"

#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/codec.hpp"

namespace millrace {

namespace {

constexpr std::uint8_t snapshot_format = 1;

void put_bytes(byte_writer& out, byte_view bytes) {
  out.put_length(bytes.size());
  out.put_bytes(bytes.data(), bytes.size());
}

bool get_bytes(byte_reader& in, byte_view& bytes) {
  std::size_t length = 0;
  if (!in.get_count(length, 1, 1)) return false;
  const std::byte* begin = in.take(length);
  if (begin == nullptr) return false;
  bytes = {begin, length};
  return true;
}

/// Sections can be larger than a container may be, so their size has 64 bits.
void put_section(byte_writer& out, const state_info& info, byte_view entries) {
  encode(out, info, std::uint64_t{entries.size()});
  out.put_bytes(entries.data(), entries.size());
}

bool get_section(byte_reader& in, state_info& info, byte_view& entries) {
  std::uint64_t size = 0;
  if (!decode(in, info, size)) return false;
  if (size > in.remaining()) return in.fail("a section is longer than the data");
  entries = {in.take(size), static_cast<std::size_t>(size)};
  return true;
}

class entry_writer final : public state_entry_visitor {
 public:
  void entry(byte_view key, byte_view ns, byte_view map_key, byte_view value) override {
    put_bytes(out_, key);
    put_bytes(out_, ns);
    put_bytes(out_, map_key);
    put_bytes(out_, value);
  }
  byte_view bytes() const noexcept { return out_.bytes(); }
  void clear() noexcept { out_.clear(); }

 private:
  byte_writer out_;
};

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

std::uint64_t keyed_state_backend_base::snapshot_key_group(std::uint32_t group, byte_writer& out) {
  MILLRACE_ASSERT(env_.groups.contains(group), "a key group of another subtask");
  encode(out, snapshot_format, group);
  out.put_length(tables_.size() + unclaimed_.size());
  std::uint64_t entry_bytes = 0;
  entry_writer entries;
  auto table = tables_.begin();
  auto unclaimed = unclaimed_.begin();
  while (table != tables_.end() || unclaimed != unclaimed_.end()) {
    if (unclaimed == unclaimed_.end() ||
        (table != tables_.end() && table->first < unclaimed->first)) {
      entries.clear();
      table->second->for_each_in_group(group, entries);
      put_section(out, table->second->info(), entries.bytes());
      entry_bytes += entries.bytes().size();
      ++table;
    } else {
      const auto kept = unclaimed->second.entries.find(group);
      const auto bytes =
          kept == unclaimed->second.entries.end() ? byte_view() : byte_view(kept->second);
      put_section(out, unclaimed->second.info, bytes);
      entry_bytes += bytes.size();
      ++unclaimed;
    }
  }
  return entry_bytes;
}

status keyed_state_backend_base::restore_key_group(std::uint32_t group, byte_reader& in) {
  MILLRACE_ASSERT(env_.groups.contains(group), "a key group of another subtask");
  std::uint8_t format = 0;
  std::uint32_t saved_group = 0;
  std::size_t sections = 0;
  if (!decode(in, format)) return in.to_status();
  if (format != snapshot_format)
    return fail(errc::invalid_data, "the keyed state of operator '" + env_.operator_name +
                                        "' has snapshot format " + std::to_string(format) +
                                        ", and only " + std::to_string(snapshot_format) +
                                        " is known here");
  if (!decode(in, saved_group) || !in.get_length(sections)) return in.to_status();
  if (saved_group != group)
    return fail(errc::invalid_data, "the keyed state of operator '" + env_.operator_name +
                                        "' in the place of key group " + std::to_string(group) +
                                        " is that of key group " + std::to_string(saved_group));
  for (; sections > 0; --sections) {
    state_info info;
    byte_view entries;
    if (!get_section(in, info, entries)) return in.to_status();
    if (auto done = restore_section(group, info, entries); !done) return done;
  }
  return {};
}

status keyed_state_backend_base::restore_section(std::uint32_t group, const state_info& saved,
                                                 byte_view entries) {
  const auto table = tables_.find(saved.name);
  if (table != tables_.end()) return restore_entries(*table->second, group, saved, entries);

  auto [at, is_new] = unclaimed_.try_emplace(saved.name, unclaimed_state{saved, {}});
  if (!is_new && at->second.info != saved)
    return fail(errc::invalid_data,
                subject(saved.name) + " is described in two ways by parts of one snapshot");
  auto& kept = at->second.entries[group];
  kept.insert(kept.end(), entries.begin(), entries.end());
  return {};
}

status keyed_state_backend_base::restore_entries(keyed_state_table& table, std::uint32_t group,
                                                 const state_info& saved, byte_view entries) {
  const auto& wanted = table.info();
  if (const auto why = why_incompatible(saved, wanted); !why.empty())
    return fail(errc::type_mismatch,
                subject(saved.name) + " can't be restored: it " + why +
                    "; give the state of the new type a new name, or keep the old type");
  byte_reader in(entries);
  while (in.remaining() > 0) {
    encoded_entry entry;
    if (!get_bytes(in, entry.key) || !get_bytes(in, entry.ns) || !get_bytes(in, entry.map_key) ||
        !get_bytes(in, entry.value))
      break;
    if (auto done = table.restore_entry(group, saved, entry); !done)
      return fail(done.error().code,
                  subject(saved.name) + " can't be restored: " + done.error().message);
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
  const auto waiting = unclaimed_.find(kept.info().name);
  if (waiting == unclaimed_.end()) return;
  const auto unclaimed = std::move(waiting->second);
  unclaimed_.erase(waiting);
  for (const auto& [group, entries] : unclaimed.entries)
    if (auto done = restore_entries(kept, group, unclaimed.info, entries); !done)
      throw failure(done.error());
}

}  // namespace millrace
