#include "millrace/connectors/file_committer.hpp"

#include <map>

#include "millrace/connectors/part_places.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

/// A device that fails now may work again; a name that is taken stays taken.
commit_result not_now(const error& why) {
  return why.code == errc::io ? commit_result::retry_later(why) : commit_result::failed(why);
}

}  // namespace

std::vector<commit_result> file_committer::commit(const std::vector<file_committable>& what) {
  std::vector<commit_result> results;
  results.reserve(what.size());
  std::map<std::string, status> synced;
  if (!what.empty()) pass(kill_point::commit_begun);
  for (const auto& each : what) {
    results.push_back(commit(each));
    if (results.back().why.message.empty()) synced[directory_of(each.target)] = {};
  }
  // A rename of an earlier attempt may not have been synced either.
  for (auto& [directory, outcome] : synced) outcome = files_.sync_directory(directory);
  for (std::size_t i = 0; i < what.size(); ++i) {
    if (!results[i].why.message.empty()) continue;
    const auto& outcome = synced[directory_of(what[i].target)];
    if (!outcome) results[i] = not_now(outcome.error());
  }
  if (!what.empty()) pass(kill_point::parts_committed);
  return results;
}

void file_committer::discard(const std::vector<file_committable>& what) noexcept {
  remove_working_files(files_, what);
}

commit_result file_committer::commit(const file_committable& what) {
  const auto there = files_.stat(what.working);
  if (!there)
    return there.error().code == errc::not_found ? find_committed(what) : not_now(there.error());
  if (there->size != what.bytes)
    return commit_result::failed(
        {errc::invalid_data, "the finished file '" + what.working + "' has " +
                                 std::to_string(there->size) + " bytes, but " +
                                 std::to_string(what.bytes) +
                                 " were written: check the disk it lies on"});
  if (!what.replaces && files_.stat(what.target)) {
    // An attempt before this may still be at it, and has renamed it just now.
    if (const auto again = files_.stat(what.working);
        !again && again.error().code == errc::not_found)
      return commit_result::already_committed();
    return commit_result::failed(
        {errc::invalid_argument,
         "cannot finish '" + what.target +
             "': it exists already, but this job did not make it; see that no other job writes to "
             "this directory, keep other files out of it, and move away what was written since the "
             "checkpoint that was restored"});
  }
  if (auto ok = files_.rename(what.working, what.target); !ok)
    return ok.error().code == errc::not_found ? find_committed(what) : not_now(ok.error());
  pass(kill_point::part_renamed);
  return commit_result::committed();
}

commit_result file_committer::find_committed(const file_committable& what) {
  const auto there = files_.stat(what.target);
  if (there) return commit_result::already_committed();
  if (there.error().code != errc::not_found) return not_now(there.error());
  return commit_result::failed(
      {errc::not_found, "cannot finish '" + what.target + "': neither it nor '" + what.working +
                            "' is there; somebody has deleted or moved it"});
}

std::shared_ptr<committer<file_committable>> make_file_committer(const committer_context& context) {
  return std::make_shared<file_committer>(context.files);
}

void remove_working_files(file_system& files, const std::vector<file_committable>& what) noexcept {
  for (const auto& each : what) static_cast<void>(files.remove(each.working));
}

template class commit_queue<file_committable>;
template class committer_operator<file_committable>;
template operator_factory_ptr make_committer_operator(committer_plan<file_committable>, bool);
template commit_calls<file_committable> calls_of(std::shared_ptr<committer<file_committable>>);
MILLRACE_RECORD_TEMPLATES(, file_committable);

}  // namespace millrace
