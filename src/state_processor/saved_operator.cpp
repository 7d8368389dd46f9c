#include "millrace/state_processor/saved_operator.hpp"

#include <algorithm>

#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/state_processor/saved_state_query.hpp"

namespace millrace {

namespace {

bool has_state(const operator_metadata& op) {
  return std::any_of(op.subtasks.begin(), op.subtasks.end(),
                     [](const subtask_metadata& s) { return s.state.keyed || s.state.operators; });
}

}  // namespace

std::string unfinished_path(const std::string& path) {
  return path + ".part";
}

result<checkpoint_metadata> load_snapshot(file_system& files, const std::string& path) {
  auto metadata = load_checkpoint(files, path);
  if (metadata || metadata.error().code != errc::not_found) return metadata;
  const auto unfinished = unfinished_path(snapshot_directory_of(path));
  if (!files.stat(unfinished)) return metadata;
  return fail(errc::not_found,
              metadata.error().message + "; '" + unfinished +
                  "' is what a job that was to write it has left, or has not finished: run that "
                  "job again, or wait for it");
}

result<operator_metadata> find_operator(const checkpoint_metadata& metadata,
                                        const std::string& path, const std::string& uid) {
  for (const auto& op : metadata.operators)
    if (op.uid == uid) return op;
  std::string known;
  for (const auto& op : metadata.operators) {
    if (!has_state(op)) continue;
    if (!known.empty()) known += ", ";
    known += op.uid;
    if (op.name != op.uid) known += " ('" + op.name + "')";
  }
  return fail(errc::invalid_argument, "the snapshot at '" + path + "' has no operator with uid '" +
                                          uid + "': those with state are " +
                                          (known.empty() ? "none" : known));
}

result<operator_metadata> load_operator(file_system& files, const std::string& path,
                                        const std::string& uid) {
  return load_snapshot(files, path).and_then([&](const checkpoint_metadata& metadata) {
    return find_operator(metadata, path, uid);
  });
}

std::string subject_of(const operator_metadata& op) {
  return operator_subject(op.name, op.uid);
}

}  // namespace millrace
