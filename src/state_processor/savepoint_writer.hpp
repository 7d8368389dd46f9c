#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/api/data_sink.hpp"
#include "millrace/api/stream_environment.hpp"
#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state_processor/bootstrap_transformation.hpp"

namespace millrace {

/// Describes a savepoint, which a job then writes (Flink's SavepointWriter):
///
///     auto visits = operator_transformation::bootstrap_with(counted.key_by(&visit::user))
///                       .transform(fill_visits{});
///     savepoint_writer::new_savepoint(env)
///         .with_operator("visits", visits)
///         .write("/savepoints/first");
///     env.execute();
///
/// All of it is there at the end of the job, or nothing: until then it is written next to its path,
/// below "<path>.part", where a job that fails leaves it; the next one that writes to the same path
/// removes it. A job that writes savepoints must not take checkpoints.
class savepoint_writer {
 public:
  /// One that has nothing but what with_operator gives it. `max_parallelism` is the number of key
  /// groups that the operators of the job have which is to start from it
  /// (`pipeline.max-parallelism`).
  static savepoint_writer new_savepoint(stream_environment& env,
                                        std::uint32_t max_parallelism = max_parallelism_default);

  /// One with all that the snapshot at `path` has, but for what is removed. Its metadata are read
  /// at once, here and wherever `build` is run. New operators have as many key groups as the one of
  /// that uid had, else as the one with the most has. Throws `failure` if there is no snapshot, or
  /// if it has records that were on their way, as unaligned checkpoints do.
  static savepoint_writer from_existing(stream_environment& env, const std::string& path);

  /// State of the operator that has this uid in the job. Throws `failure(invalid_argument)` if the
  /// savepoint has that operator already: one of an existing savepoint must be removed before.
  savepoint_writer& with_operator(const std::string& uid, bootstrap_transformation state);
  /// Leaves out an operator of the existing savepoint. Throws `failure(invalid_argument)` with the
  /// uids that there are if it has none of that uid.
  savepoint_writer& remove_operator(const std::string& uid);

  /// Adds to the job what writes the savepoint, to a directory that is not there yet and that all
  /// nodes see.
  data_sink write(const std::string& path);

 private:
  struct added {
    std::string uid;
    bootstrap_transformation state;
    std::uint32_t max_parallelism = 0;
  };

  explicit savepoint_writer(stream_environment& env) : env_(&env) {}
  bool has(const std::string& uid) const;
  std::vector<detail::stream_part> add_operators(const std::string& path, std::uint64_t threshold);

  stream_environment* env_;
  std::uint32_t max_parallelism_ = max_parallelism_default;  // of new operators
  std::string from_;                                         // the existing savepoint
  std::shared_ptr<checkpoint_metadata> existing_;            // null if there is none
  std::vector<std::string> kept_;                            // uids of its operators
  std::vector<added> added_;
};

}  // namespace millrace
