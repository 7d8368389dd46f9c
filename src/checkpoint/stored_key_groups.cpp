#include "millrace/checkpoint/stored_key_groups.hpp"

#include <memory>
#include <utility>

#include "millrace/checkpoint/running_checksum.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_database_files.hpp"
#include "millrace/state/database_key_groups.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"

namespace millrace {

stored_key_group_reader::stored_key_group_reader(snapshot_source from,
                                                 const stored_keyed_state& state)
    : from_(std::move(from)), state_(state) {}

stored_key_group_reader::~stored_key_group_reader() = default;

status stored_key_group_reader::open() {
  if (!state_.database || database_ != nullptr) return {};
  source_ = std::make_shared<stored_database_files>(from_, *state_.database);
  return open_database_files(source_)
      .and_then([&](std::unique_ptr<byte_store> store) {
        return database_key_groups::of(std::move(store), state_.database->tables);
      })
      .map([&](database_key_groups all) {
        database_ = std::make_unique<database_key_groups>(std::move(all));
      });
}

result<std::vector<std::byte>> stored_key_group_reader::read(std::uint32_t group) {
  // RocksDB says less about a file that could not be read than who has read it for it.
  const auto explained = [&](const error& why) {
    return tl::unexpected(source_ ? source_->first_failure().value_or(why) : why);
  };
  try {
    if (const auto opened = open(); !opened) return explained(opened.error());
    const auto i = group - state_.first_group;
    auto beside = read_stored(from_, state_.bytes, i == 0 ? 0 : state_.ends[i - 1], state_.ends[i],
                              state_.checksums[i]);
    if (!beside || database_ == nullptr) return beside;
    auto whole = database_->read(group, *beside);
    return whole ? std::move(whole) : explained(whole.error());
  } catch (const failure& e) {
    return explained(e.what_failed());
  }
}

status check_database(const snapshot_source& from, const stored_keyed_state& state) {
  if (!state.database || state.ends.empty()) return {};
  return stored_key_group_reader(from, state).read(state.first_group).map([](auto) {});
}

status each_key_group(const snapshot_source& from, const stored_keyed_state& state,
                      key_group_range groups,
                      const std::function<status(std::uint32_t, std::vector<std::byte>)>& visit) {
  stored_key_group_reader reader(from, state);
  for (auto group = groups.first; group <= groups.last; ++group) {
    auto bytes = reader.read(group);
    if (!bytes) return tl::unexpected(bytes.error());
    if (auto done = visit(group, std::move(*bytes)); !done) return done;
  }
  return {};
}

result<std::vector<encoded_key_group>> read_key_groups(const snapshot_source& from,
                                                       const stored_keyed_state& state,
                                                       key_group_range groups) {
  std::vector<encoded_key_group> all;
  return each_key_group(from, state, groups,
                        [&](std::uint32_t group, std::vector<std::byte> bytes) -> status {
                          all.push_back({group, std::move(bytes)});
                          return {};
                        })
      .map([&] { return std::move(all); });
}

result<stored_keyed_state> copy_key_groups(const snapshot_source& from,
                                           const stored_keyed_state& state, state_file_writer& to) {
  stored_keyed_state copied;
  copied.first_group = state.first_group;
  running_checksum all;
  return each_key_group(from, state, state.groups(),
                        [&](std::uint32_t group, const std::vector<std::byte>& bytes) -> status {
                          auto written = to.append(bytes);
                          if (!written) return tl::unexpected(written.error());
                          all.add(bytes);
                          if (group == state.first_group)
                            copied.bytes = *written;  // where the first one begins
                          const auto before = copied.ends.empty() ? 0 : copied.ends.back();
                          copied.ends.push_back(before + bytes.size());
                          copied.checksums.push_back(written->checksum);
                          return {};
                        })
      .map([&] {
        copied.bytes.length = copied.ends.back();
        copied.bytes.checksum = all.value();
        return std::move(copied);
      });
}

}  // namespace millrace
