#include "millrace/state_processor/written_subtask.hpp"

#include "millrace/checkpoint/task_state_store.hpp"

namespace millrace {

const record_type& written_subtask_type() {
  return record_type_of<written_subtask>();
}

status check_path_is_free(file_system& files, const std::string& path) {
  const auto found = files.stat(path);
  if (!found && found.error().code == errc::not_found) return {};
  if (!found) return tl::unexpected(found.error());
  return fail(errc::invalid_argument,
              "the savepoint can't be written to '" + path +
                  "': there is something already, which it would replace; name another path, or "
                  "remove that");
}

result<execution_attempt_id> with_free_state_file(file_system& files, const std::string& directory,
                                                  execution_attempt_id who) {
  for (;; ++who.attempt) {
    const auto found = files.stat(directory + "/" + state_file_name(who));
    if (found) continue;
    if (found.error().code == errc::not_found) return who;
    return tl::unexpected(found.error());
  }
}

}  // namespace millrace
