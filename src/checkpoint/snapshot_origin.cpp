#include "millrace/checkpoint/snapshot_origin.hpp"

#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/state_assignment.hpp"
#include "millrace/checkpoint/subtask_endings.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

origin_settings origin_settings_of(const configuration& config) {
  return {config.get(options::savepoint_path), config.get(options::savepoint_ignore_unclaimed),
          config.get(options::savepoint_restore_mode) == "CLAIM"};
}

result<snapshot_origin> load_origin(file_system& files, const origin_settings& settings,
                                    const graph::job_graph& job) {
  const auto metadata = load_checkpoint(files, settings.path);
  if (!metadata) return tl::unexpected(metadata.error());
  if (auto good = check_restorable(*metadata, job, settings.allow_non_restored); !good)
    return tl::unexpected(error{good.error().code, "the job can't start from '" + settings.path +
                                                       "': " + good.error().message});
  snapshot_origin origin;
  origin.checkpoint = metadata->checkpoint;
  origin.location = snapshot_directory_of(settings.path);
  origin.is_claimed = settings.is_claimed;
  subtask_endings endings(*metadata, job);
  for (const auto& vertex : job.vertices)
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i)
      if (endings.of({vertex.id, i}) != subtask_ending::none)
        origin.finished.push_back({vertex.id, i});
  for (const auto& op : metadata->operators)
    if (op.coordinator) origin.coordinators[op.uid] = *op.coordinator;
  return origin;
}

}  // namespace millrace
