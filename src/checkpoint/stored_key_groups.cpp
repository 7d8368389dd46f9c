#include "millrace/checkpoint/stored_key_groups.hpp"

#include <memory>
#include <utility>

#include "millrace/checkpoint/running_checksum.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_database_files.hpp"
#include "millrace/state/database_key_groups.hpp"
#include "millrace/state/rocksdb_state_backend.hpp"

namespace millrace {

namespace {

using key_group_visitor = std::function<status(std::uint32_t, std::vector<std::byte>)>;

/// What is not in a database.
status each_encoded_group(file_system& files, const std::string& directory,
                          const stored_keyed_state& state, key_group_range groups,
                          const key_group_visitor& visit) {
  for (auto group = groups.first; group <= groups.last; ++group) {
    const auto i = group - state.first_group;
    auto bytes = read_stored(files, directory, state.bytes, i == 0 ? 0 : state.ends[i - 1],
                             state.ends[i], state.checksums[i]);
    if (!bytes) return tl::unexpected(bytes.error());
    if (auto done = visit(group, std::move(*bytes)); !done) return done;
  }
  return {};
}

}  // namespace

status each_key_group(file_system& files, const std::string& directory,
                      const stored_keyed_state& state, key_group_range groups,
                      const key_group_visitor& visit) {
  if (!state.database) return each_encoded_group(files, directory, state, groups, visit);
  const auto source = std::make_shared<stored_database_files>(files, directory, *state.database);
  const auto explained = [&](const error& why) {
    return tl::unexpected(source->first_failure().value_or(why));
  };
  try {
    auto database = open_database_files(source).and_then([&](std::unique_ptr<byte_store> store) {
      return database_key_groups::of(std::move(store), state.database->tables);
    });
    if (!database) return explained(database.error());
    return each_encoded_group(files, directory, state, groups,
                              [&](std::uint32_t group, std::vector<std::byte> beside) -> status {
                                auto whole = database->read(group, beside);
                                return whole ? visit(group, std::move(*whole))
                                             : tl::unexpected(whole.error());
                              });
  } catch (const failure& e) {
    return explained(e.what_failed());
  }
}

result<std::vector<encoded_key_group>> read_key_groups(file_system& files,
                                                       const std::string& directory,
                                                       const stored_keyed_state& state,
                                                       key_group_range groups) {
  std::vector<encoded_key_group> all;
  return each_key_group(files, directory, state, groups,
                        [&](std::uint32_t group, std::vector<std::byte> bytes) -> status {
                          all.push_back({group, std::move(bytes)});
                          return {};
                        })
      .map([&] { return std::move(all); });
}

result<stored_keyed_state> copy_key_groups(file_system& files, const std::string& directory,
                                           const stored_keyed_state& state, state_file_writer& to) {
  stored_keyed_state copied;
  copied.first_group = state.first_group;
  running_checksum all;
  return each_key_group(files, directory, state, state.groups(),
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
