#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/job_program.hpp"
#include "sim/event_time_stage.hpp"
#include "sim/random.hpp"
#include "sim/rows.hpp"
#include "sim/transactional_sink.hpp"
#include "support/memory_files.hpp"

// The jobs of the simulation. A job is described once, as plain data; it is then built with the
// DataStream API for the cluster, and worked out by a sequential interpreter that shares no code
// with the engine.

namespace millrace::sim {

enum class step_kind : std::uint8_t {
  map,          ///< Adds the argument to the value.
  filter,       ///< Drops values that the argument divides.
  flat_map,     ///< `argument` rows of each.
  rekey,        ///< Another key of `argument` keys, made from both fields.
  keyed_count,  ///< By key: how many so far, or in batch mode how many.
  loop,         ///< Goes around as `one_trip` says until `argument` divides the value.
  kept_count,  ///< As keyed_count, by a function that keeps the counts as state; not in batch mode.
  rebalance,
  rescale,
  shuffle,
  broadcast,
};

struct job_step {
  step_kind kind = step_kind::map;
  std::int64_t argument = 1;
  std::uint32_t parallelism = 1;
};

/// Where the watermarks of a source come from. Its rows are in the order of their timestamps, so
/// that a late one is the engine's fault.
enum class time_kind : std::uint8_t {
  none,
  punctuated,  ///< One behind every few rows.
  periodic,    ///< By the clock.
};

/// A source and what follows it.
struct job_branch {
  std::uint64_t rows = 0;
  std::int64_t keys = 10;
  double per_second = 0;  ///< 0: as fast as possible.
  bool from_file = false;
  std::uint32_t parallelism = 1;
  std::vector<job_step> steps;
  time_kind time = time_kind::none;
  std::int64_t first_value = 0;  ///< Of its rows, and so their first time.
  /// Not 0: readers ask for one split of so many rows after the other. Without event time only.
  std::uint64_t rows_per_split = 0;
};

struct job_spec {
  std::string name;
  bool batch = false;
  bool chaining = true;
  std::vector<job_branch> branches;  ///< Their union goes on, or what `stage` makes of them.
  event_time_stage stage;            ///< One of two inputs needs two branches.
  std::vector<job_step> steps;
  std::uint32_t sink_parallelism = 1;
  bool to_file = false;
  bool is_aligned = false;  ///< Sources with event time wait for the slowest of them.
  /// The last branch is idle until event time has come to the end of the others without it, which
  /// end only then. Then one of its readers has rows, later ones than the others had.
  bool has_latecomer = false;
  bool needs_library = false;
  bool is_checkpointed = false;  ///< Its sinks commit with checkpoints.
  std::int64_t slow_us = 0;      ///< How long what comes before the sinks takes for each batch.
  std::optional<std::int64_t> throws_at;  ///< Value of the first branch at which a function throws.
};

/// By name, one for each kind of exchange: map_chain, keyed_count, union, broadcast, rebalance,
/// two_inputs, files, windows, joins, loops; `any` is random.
extern const std::vector<std::string_view> job_shapes;
job_spec make_job_spec(std::string_view shape, std::uint32_t parallelism_max,
                       random_source& random);

/// A job that goes on after failures, and takes some virtual time.
job_spec make_checkpointed_spec(std::uint32_t parallelism_max, random_source& random);
/// Its rows are counted by functions with state, wherever they are counted but behind a broadcast.
void keep_counts_as_state(job_spec& spec);
/// Its windows become a function with timers, if they are of one stream.
void set_timers_for_windows(job_spec& spec);
/// Its subtasks are chains from source to sink that exchange nothing, as far as it has one branch
/// without a stage: each is a region of its own.
void take_exchanges_out(job_spec& spec);

std::string to_string(const job_spec& spec);

/// What the job emits, sorted.
std::vector<row> interpret(const job_spec& spec);

/// Slots the job needs: all its vertices share them.
std::uint32_t slots_of(const job_spec& spec);

struct reached_time;

/// A job ready to be submitted, and where its output goes.
struct built_job {
  graph::job_graph graph;
  std::shared_ptr<const job_program> program;
  std::shared_ptr<std::vector<row>> rows;     ///< Of a job without files, as they come.
  std::string output_path;                    ///< Of one with files.
  std::shared_ptr<committed_rows> committed;  ///< Of one whose sinks commit.
  std::size_t number = 0;                     ///< Of the job, or of the one it goes on with.
  std::shared_ptr<reached_time> reached;      ///< How far event time is.
};

/// `number` tells the jobs of a run apart. Makes the input files of jobs that read files.
built_job build_job(const job_spec& spec, std::size_t number, test::memory_files& files);

/// A job that goes on where one of the same kind has been stopped: with its input and its output.
built_job build_next_job(const job_spec& spec, const built_job& stopped, test::memory_files& files);

/// What has been emitted so far, sorted; of file sinks what they have completed.
std::vector<row> output_of(const built_job& job, const test::memory_files& files);

}  // namespace millrace::sim
