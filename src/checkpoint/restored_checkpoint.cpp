#include "millrace/checkpoint/restored_checkpoint.hpp"

#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/state_assignment.hpp"

namespace millrace {

result<restored_checkpoint> read_restored_checkpoint(file_system& files,
                                                     const std::string& location,
                                                     const graph::job_graph& job) {
  const auto metadata = load_checkpoint(files, location);
  if (!metadata) return tl::unexpected(metadata.error());
  if (auto fits = check_restorable(*metadata, job, true); !fits)
    return tl::unexpected(fits.error());
  restored_checkpoint restored{metadata->checkpoint};
  for (const auto& op : metadata->operators)
    if (op.coordinator) restored.coordinators[op.uid] = *op.coordinator;
  for (const auto& vertex : job.vertices)
    for (std::uint32_t subtask = 0; subtask < vertex.parallelism; ++subtask)
      if (assign_state(*metadata, vertex, subtask).is_finished)
        restored.finished.push_back({vertex.id, subtask});
  return restored;
}

}  // namespace millrace
