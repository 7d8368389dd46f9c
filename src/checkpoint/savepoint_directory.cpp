#include "millrace/checkpoint/savepoint_directory.hpp"

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

constexpr int names_tried_max = 100;

/// The same for the same, so that a simulation repeats itself.
std::string name_of_savepoint(const job_id& job, checkpoint_id checkpoint, int attempt) {
  byte_writer salt;
  encode(salt, job.high, job.low, checkpoint.number, std::int32_t{attempt});
  const auto digits = format_hex_id(0, XXH3_64bits(salt.bytes().data(), salt.size())).substr(20);
  return "savepoint-" + to_string(job).substr(0, 6) + "-" + digits;
}

}  // namespace

result<std::string> free_savepoint_path(file_system& files, const std::string& parent,
                                        const job_id& job, checkpoint_id checkpoint) {
  auto below = parent;
  while (below.size() > 1 && below.ends_with('/')) below.pop_back();
  for (int attempt = 0; attempt < names_tried_max; ++attempt) {
    auto path = below + "/" + name_of_savepoint(job, checkpoint, attempt);
    const auto found = files.stat(path);
    if (found) continue;
    if (found.error().code != errc::not_found) return tl::unexpected(found.error());
    return path;
  }
  return fail(errc::io, "there is no free name for a savepoint below '" + parent + "'");
}

status make_savepoint_directory(file_system& files, const std::string& path) {
  return make_lasting_directory(files, path).map([] { pass(kill_point::savepoint_begun); });
}

status remove_unfinished_savepoint(file_system& files, const std::string& path, bool is_withdrawn) {
  if (is_withdrawn) return remove_snapshot_directory(files, path);
  const auto metadata = files.stat(path + "/" + std::string(metadata_file_name));
  if (metadata) return {};
  if (metadata.error().code != errc::not_found) return tl::unexpected(metadata.error());
  return remove_tree(files, path);
}

status dispose_savepoint(file_system& files, const std::string& path) {
  const auto metadata = load_checkpoint(files, path);
  if (!metadata)
    return fail(
        metadata.error().code == errc::not_found ? errc::invalid_argument : metadata.error().code,
        metadata.error().message);
  if (metadata->kind == checkpoint_kind::checkpoint)
    return fail(errc::invalid_argument,
                "'" + path + "' is no savepoint but checkpoint " +
                    std::to_string(metadata->checkpoint.number) + " of job " +
                    to_string(metadata->job) + " ('" + metadata->job_name +
                    "'): a job removes its checkpoints by itself; remove the directory of one that "
                    "was retained");
  return remove_snapshot(files, snapshot_directory_of(path));
}

}  // namespace millrace
