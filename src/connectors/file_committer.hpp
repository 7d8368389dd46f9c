#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/operators/committer_operator.hpp"
#include "millrace/stream/compiled_records.hpp"

namespace millrace {

/// A finished part that nobody sees yet. In checkpoints: its form is fixed.
struct file_committable {
  std::string working;  ///< Where it is.
  std::string target;   ///< Where it is to be.
  std::uint64_t bytes = 0;
  bool replaces = false;  ///< Whether something may be there already.

  bool operator==(const file_committable&) const = default;
};

/// Makes finished parts visible: renames them, and syncs the directories (Flink's FileCommitter). A
/// part that is gone while its target is there was committed before.
class file_committer final : public committer<file_committable> {
 public:
  /// `files` must outlive this.
  explicit file_committer(file_system& files) : files_(files) {}

  std::vector<commit_result> commit(const std::vector<file_committable>& what) override;
  void discard(const std::vector<file_committable>& what) noexcept override;

 private:
  commit_result commit(const file_committable& what);
  commit_result find_committed(const file_committable& what);

  file_system& files_;
};

/// Makes the committer of a file sink.
std::shared_ptr<committer<file_committable>> make_file_committer(const committer_context& context);

/// Removes parts that will never be committed, as well as can be.
void remove_working_files(file_system& files, const std::vector<file_committable>& what) noexcept;

extern template class commit_queue<file_committable>;
extern template class committer_operator<file_committable>;
extern template operator_factory_ptr make_committer_operator(committer_plan<file_committable>,
                                                             bool);
extern template commit_calls<file_committable> calls_of(
    std::shared_ptr<committer<file_committable>>);
MILLRACE_RECORD_TEMPLATES(extern, file_committable);

}  // namespace millrace
